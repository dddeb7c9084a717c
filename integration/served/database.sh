# PostgreSQL, whose processes share a segment of System V, and its clients: the sums of what they did agree.
set -e
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
rm -rf /tmp/data
"$bin/initdb" -D /tmp/data -A trust -U me --no-sync > /dev/null
"$bin/postgres" -D /tmp/data -c listen_addresses=127.0.0.1 -c port=7432 -c shared_memory_type=sysv \
    -c unix_socket_directories=/tmp > server.log 2>&1 &
server=$!
until "$bin/pg_isready" -q -h /tmp -p 7432 -U me -d postgres; do sleep 0.1; done
"$bin/pgbench" -q -i -s 1 -h /tmp -p 7432 -U me postgres 2> /dev/null
echo begins
"$bin/pgbench" -n -c 2 -j 2 -t 500 -h 127.0.0.1 -p 7432 -U me postgres | grep processed
"$bin/psql" -h /tmp -p 7432 -U me -At postgres -c "select count(*), sum(delta) = (select sum(abalance) from pgbench_accounts),
    (select sum(tbalance) from pgbench_tellers) = (select sum(bbalance) from pgbench_branches) from pgbench_history"
kill -INT $server
wait $server
