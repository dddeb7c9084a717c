# SQLite with both journals, several processes at once, and its own checks.
exec 2>&1
for mode in wal delete truncate persist; do
	rm -f t.db*
	sqlite3 t.db "pragma journal_mode=$mode; create table t(a integer primary key, b text, c int); create index i on t(b); create table total(c int); insert into total values(0);"
	for who in 1 2 3; do
		for n in $(seq 15); do
			echo ".timeout 60000"
			echo "begin immediate; insert into t(b, c) values('$who-$n', $who); update total set c = c + 1; commit;"
		done | sqlite3 t.db &
	done
	wait
	sqlite3 t.db 'select count(*), count(distinct b) from t; pragma integrity_check;'
	sqlite3 t.db "begin; delete from t; rollback; delete from t where c = 2; vacuum; pragma integrity_check; select c, count(*) from t group by c; select c from total; pragma journal_mode;"
	sqlite3 t.db .dump | sort | sed 's/([0-9]*,/(/' | md5sum >/dev/null
	sqlite3 t.db ".backup copy.db" && sqlite3 copy.db 'pragma integrity_check; select count(*) from t'
done
rm -f t.db* copy.db*
