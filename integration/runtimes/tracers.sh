# Programs that watch others: valgrind runs them itself, strace by ptrace.
exec 2>&1
valgrind -q $R/san-plain
valgrind -q --error-exitcode=9 $R/san-plain heap | grep -c Invalid
valgrind -q --tool=helgrind $R/san-plain
strace -f -o trace $R/san-plain && grep -c 'exited with' trace
strace -f -c -o count $R/san-plain && grep -cw openat count
strace -f -o trace sh -c 'kill -TERM $$'; echo $?
rm trace count
