#!/bin/sh
# Processes of different front ends in one tree, speaking through pipes, files, signals and exit codes.
here=$(dirname "$0")
"$here/seccomp_strict" | sort | head -4
echo one | "$here/mixed_part" upper | "$here/mixed_part" plain | tr E e
"$here/mixed_part" upper < small.txt > through.txt
cmp -s through.txt small.txt || echo differs
(trap 'echo told; exit 3' USR1; "$here/mixed_part" tell $$ >/dev/null; sleep 0.2; exit 4) &
wait $!
echo $?
"$here/mixed_part" exec
