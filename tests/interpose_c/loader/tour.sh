# Pipelines, background jobs, traps, here documents, process substitution; ends by its own hand.
seq 1000 | grep 7 | sort -rn | head -3
(exit 7)
echo $?
trap 'echo term' TERM
kill $$
sleep 0.05 &
wait $!
echo waited $?
for i in 1 2 3; do echo $i & done | sort
wait
echo $(echo sub $(echo shell))
cat <<< here
diff <(echo a) <(echo b)
ulimit -n
exec 5<> file
echo kept >&5
cat file
kill -9 $$
