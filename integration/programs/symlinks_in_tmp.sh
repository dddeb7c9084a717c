#!/bin/sh
# Symlinks in the job's own /tmp that lead home: read, written, created, renamed, executed through.
home=$PWD
tmp=$(mktemp -d) && cd "$tmp" || exit 1
echo data1 > "$home/f1"
echo data2 > "$home/f2"
mkdir "$home/d" && echo x > "$home/d/f"
ln -s "$home/f1" l1; ln -s "$home/f2" l2; ln -s "$home/new" l3; ln -s "$home/small.txt" unseen
ln -s "$home/d" ld; ln -s "$home" nd; ln -s "$tmp/l1" ll; ln -s "$home/none/at/all" dangling
stat -L -c %s l1 ll unseen
cat l1 ll unseen
echo w > l2; cat l2
echo n > l3; cat l3
echo more >> l3; cat "$home/new"
(set -o noclobber; echo no > l1) 2>/dev/null || echo kept
echo no 2>/dev/null > dangling || echo dangling
cat ld/f; echo q > ld/g; cat ld/g
mkdir ld/sub; rm ld/f; mv ld/g nd/g2; ls nd ld
chmod 600 l1; stat -L -c %a l1
truncate -s 2 l1; od -c l1
touch -d 2001-01-01 l2; stat -L -c %Y l2
ln -L l1 nd/hard; ln l1 lhard; stat -c %h nd/hard; test "$(readlink lhard)" = "$home/f1" && echo linked
test "$(realpath ld/sub)" = "$home/d/sub" && echo real
rmdir ld/sub
printf '#!/bin/sh\necho script\n' > nd/s.sh; chmod +x nd/s.sh; ./nd/s.sh
ln -s "$home/s.sh" ls; ./ls
cd ld && test "$(pwd -P)" = "$home/d" && echo there && cd "$tmp"
test -w l2 && echo writable
cp l2 nd/c; cp nd/c l3; cat nd/c l3
dd if=/dev/zero of=l3 bs=1 count=3 conv=notrunc 2>/dev/null; od -c l3
rm -r "$tmp"
