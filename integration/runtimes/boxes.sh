# Every applet of busybox that ordinary work uses, under its own shell, which starts its applets by executing itself.
b=/bin/busybox
[ -x $b ] || b=/usr/bin/busybox
say() { printf '%s: ' "$*"; "$@" 2>&1; echo "-> $?"; }
export b
say $b ash -c 'exec $b sh -c "readlink /proc/self/exe | $b sed s#.*/##"'
mkdir -p box; cd box
seq 50 >numbers; printf 'b 2\na 1\nc 3\n' >table; printf 'one\ntwo\n' >text
for it in "cat table" "tac table" "head -n 2 numbers" "tail -n 2 numbers" "sort table" "sort -k2 -r table" "uniq -c table" "wc numbers" "cut -d\  -f2 table" \
	"tr a-z A-Z" "rev table" "nl text" "fold -w 3 table" "expand table" "paste table text" "od -c table" "hexdump -C table" "xxd table" "strings table" \
	"md5sum numbers" "sha1sum numbers" "sha256sum numbers" "sha512sum text" "crc32 numbers" "base64 table" "uuencode table x" "basename /a/b.c .c" "dirname /a/b" \
	"expr 6 * 7" "factor 42" "seq 3 -1 1" "echo -e a\\tb" "printf %05d\\n 42" "test -f table" "[ -d table ]" "true" "false" "awk {s+=\$2}END{print\ s} table" \
	"grep -n a table" "egrep a|b table" "fgrep 1 table" "sed -n 2p table" "diff table text" "cmp table text" "ls" "ls -1a" "stat -c %n:%s:%a table" "du -a table" "find . -type f" \
	"touch made" "cp table copied" "mv copied moved" "ln moved linked" "ln -s moved soft" "readlink soft" "realpath soft" "chmod 640 moved" "stat -c %a:%h moved" "mkdir -p d/e" "rmdir d/e" "rm -r d" \
	"truncate -s 100 made" "dd if=numbers of=part bs=10 count=3" "mktemp -u xXXXXXX_" "mkfifo pipe" "test -p pipe" "unlink pipe" \
	"tar cf a.tar table text" "tar tf a.tar" "gzip -k numbers" "gunzip -c numbers.gz" "zcat numbers.gz" "bzip2 -k table" "bzcat table.bz2" "cpio -t" \
	"env -i A=1 $b env" "which cat" "id -u" "pwd" "uname -s" "arch" "date -u -d @0 +%F" "cal 1 2000" "sleep 0" "usleep 1" "timeout 5 $b echo in time" \
	"xargs echo" "tee out" "shuf -e one" "dc -e 2_3+p" "bc" "ed table" "getopt ab: -a -b 1" "setsid $b echo session" \
	"pidof nothing-of-the-name" "sync" "ipcalc -n 10.0.0.1/8"  ; do
	set -f; IFS=' '
	case $it in
	cut*) set -- cut -d ' ' -f2 table ;;
	awk*) set -- awk '{s += $2} END {print s}' table ;;
	mktemp*) set -- sh -c 'x=$(busybox mktemp xXXXXXX) && echo made && rm $x' ;;
	dc*) set -- dc -e '2 3+p' ;;
	ls*|find*|du*) set -- sh -c "$b $it | $b sort" ;;
	bc) set -- sh -c "echo '2^70' | $b bc" ;;
	ed*) set -- sh -c "printf 'g/b/p\nq\n' | $b ed table" ;;
	cpio*) set -- sh -c "echo table | $b cpio -o 2>/dev/null | $b cpio -t" ;;
	*) set -- $it ;;
	esac
	set +f
	printf '%s: ' "$it"; printf 'x y\n' | $b "$@" 2>&1; echo
done
rm a.tar
mkdir bin; $b --install -s "$PWD/bin" 2>/dev/null || for it in sh ls wc sort; do ln -s $b bin/$it; done
say env -i PATH="$PWD/bin" "$PWD/bin/sh" -c 'ls | wc -l; readlink /proc/self/exe | while read -r x; do echo "${x##*/}"; done'
rm -r bin
(trap 'echo trapped' USR1; kill -USR1 $$; :) 2>/dev/null
$b sh -c 'sleep 20 & kill $!; wait $!; echo $?'
$b sh -c 'f() { for n in 1 2 3; do echo $n; done | while read -r n; do echo $((n * n)); done; }; f; set -- a b; echo $# "$@"; cat <<X
here $1
X'
diff table - <<'X' | $b patch -p0 table && cat table
b 2
a one
c 3
X
exit 9
