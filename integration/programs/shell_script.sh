#!/bin/sh
# What shell scripts live on: redirections, loops, pipes, here documents, traps, background jobs, globs.
set -u
trap 'echo "trap $?"' EXIT
while read -r word; do
	echo "<$word>"
done < small.txt
for file in dir/[a-c]; do
	cat "$file" >> joined
done
cat joined
sed 's/line/row/' lines.txt | awk 'NR % 250 == 0 { print $2 * 2 }'
cat > here.txt <<HERE
cwd ends in $(basename "$PWD" | wc -w)
HERE
cat here.txt
(cd dir/sub && pwd | sed 's:.*/dir:dir:')
sleep 0.1 &
wait $! && echo waited
echo one > noclobber.txt
(set -C; echo two > noclobber.txt) 2>/dev/null || echo refused
exec 5<> readwrite.txt
echo through five >&5
exec 5>&-
cat readwrite.txt
test -s small.txt && test ! -e absent && test -L link && test -x script.sh && test lines.txt -ef lines.txt && echo tests
if [ small.txt -nt here.txt ]; then echo older is newer; fi
printf '%s\n' c a b | sort | tee sorted.txt | head -1
find dir -type f -exec grep -l 'file [ab]' {} + | sort
xargs -n 1 echo arg < small.txt
tar cf - dir | tar tf - | sort | head -3
cp -a dir copied && diff -r dir copied && echo same
mkdir -p x/y/z && rmdir -p x/y/z && mv joined dir/ && rm -r copied
ln -s small.txt l1 && ln small.txt l2 && ls -i small.txt l2 | awk '{ print $1 }' | uniq | wc -l
ls -l small.txt | awk '{ print $1, $2, $5 }'
md5sum big.bin lines.txt
cmp small.txt l2 && dd if=big.bin bs=1000 skip=3 count=1 2>/dev/null | cksum
./script.sh a b
exit 23
