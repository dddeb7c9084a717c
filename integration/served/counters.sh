# Redis: a client for each command, then one that sends thousands at once.
redis-server --port 7379 --save "" > /dev/null &
until redis-cli -p 7379 ping > /dev/null 2>&1; do sleep 0.05; done
echo begins
for number in $(seq 150); do redis-cli -p 7379 incrby sum "$number" > /dev/null || echo "failed at $number"; done
seq 60000 | sed 's/^/incrby all /' | redis-cli -p 7379 --pipe | tail -1
redis-benchmark -p 7379 -q -n 20000 -c 8 -t lpush > /dev/null
for name in sum all; do redis-cli -p 7379 get $name; done
redis-cli -p 7379 llen mylist
redis-cli -p 7379 shutdown nosave
wait
