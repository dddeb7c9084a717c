#!/bin/bash
# Programs that start programs: nice, timeout, setsid, nohup, script, env -S, exec -a, shims; and shells meeting what they cannot run.
say() { printf '%s: ' "$1"; shift; "$@" 2>&1; echo "-> $?"; }
exec 2>&1
say env-i env -i PATH=/usr/bin:/bin A=1 sh -c 'echo "$A $HOME"; env | sort'
say env-u env -u HOME sh -c 'echo "<$HOME>"'
say env-S env -S 'B=2 sh -c "echo \$B"'
say nice nice -n 5 sh -c 'nice'
say timeout timeout 0.2 sleep 20
say timeout-k sh -c 'timeout -s KILL 0.2 sleep 20; echo "not reached"; :' 2>/dev/null
say timeout-inside timeout 20 sh -c 'exit 9'
say setsid setsid -w sh -c 'echo in a session; exit 3'
say nohup nohup sh -c 'echo immune; kill -HUP $$; echo survived'
say ionice ionice -c 3 echo idle
say chrt chrt -o 0 echo other
say taskset taskset -c 0 echo pinned
say stdbuf stdbuf -oL echo buffered
say prlimit prlimit --nofile=64 sh -c 'ulimit -n'
say flock flock locked sh -c 'flock -n locked echo no || echo excluded'
say script script -qec 'tty >/dev/null && echo a terminal' /dev/null
say xargs sh -c 'seq 20 | xargs -n 3 -P 2 sh -c "exit 0" && seq 7 | xargs -n 3 echo'
say find-exec sh -c 'find dir -type f -exec sh -c "echo \$1" _ {} \; | sort'
say exec-a sh -c 'exec bash -c "exec -a renamed sh -c \"echo \\\$0; cat /proc/\\\$\\\$/comm; tr \\\\\\\\0 . </proc/\\\$\\\$/cmdline\""'
say coproc bash -c 'coproc cat; echo told >&${COPROC[1]}; read -r line <&${COPROC[0]}; echo "$line"'
say command-v sh -c 'command -v sh cat; type cd'
say substitution bash -c 'diff <(seq 3) <(seq 2 4)'

# What a shell does with what the kernel refuses.
printf 'echo no interpreter line; echo "$0 $#"\n' >bare; chmod +x bare
: >nothing; chmod +x nothing
printf '\177ELF\1\1\1' >short; chmod +x short
head -c 5000 /dev/zero >zeros; chmod +x zeros
printf '#!/nowhere/sh\n' >lost; chmod +x lost
printf '#!\n' >unnamed; chmod +x unnamed
printf '#! \t /bin/sh   -e  \necho spaces; false; echo unreached\n' >spaces; chmod +x spaces
printf '#!/usr/bin/env -S sh -eu\necho "split $#"; echo $unset\n' >split; chmod +x split
printf '#!emptydir/relative\necho relative "$0"\n' >relative; chmod +x relative
ln -s /bin/sh emptydir/relative
printf '#!/bin/echo one argument only' >unended; chmod +x unended
printf '#!%s\n' "$PWD/level0" >level1
printf '#!/bin/sh\necho level "$@"\n' >level0
for n in 2 3 4 5 6 7; do printf '#!%s\n' "$PWD/level$((n - 1))" >level$n; done
chmod +x level?
for shell in sh bash; do
	for it in ./bare ./nothing ./short ./lost ./unnamed ./spaces ./split ./relative ./unended ./level0 ./level1 ./level3 ./level4 ./level5 ./level7 ./notexec.sh ./dir ./nowhere ./small.txt nowhere ./dangling ./loop1 ./small.txt/x; do
		say "$shell $it" "$shell" -c "$it a 'b c'" 2>&1 | sed "s#$PWD#HERE#g"
	done
done
say zeros bash -c './zeros | wc -c'
say find-it sh -c 'PATH=dir:/bin:/usr/bin; printf "#!/bin/sh\necho found in dir\n" >dir/tool; chmod +x dir/tool; tool; cd dir; tool'
say perl-exec perl -e 'for (qw(./bare ./short ./lost ./level7 ./nowhere ./dir)) { { no warnings; exec { $_ } $_; } print "$_ ", $! + 0, "\n" }'
say python-exec /usr/bin/python3 -c '
import os
for name in ("./bare", "./short", "./lost", "./unnamed", "./level7", "./dir", "./notexec.sh", "./small.txt/x", "./loop1", "x" * 300):
    try: os.execv(name, [name])
    except OSError as e: print(name[:20], e.errno)'

# A version manager: a shim on the path looks for the real program and becomes it.
mkdir -p shims versions/1/bin versions/2/bin
cat >shims/tool <<'SHIM'
#!/usr/bin/env bash
set -e
program="${0##*/}"
version="$(cat "$PWD/.version" 2>/dev/null || echo 1)"
export TOOL_ROOT="$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)"
exec -a "$program" "$TOOL_ROOT/versions/$version/bin/$program" "$@"
SHIM
cp /bin/cat versions/1/bin/tool
printf '#!/bin/sh\necho "version 2 of ${0##*/}: $*"\n' >versions/2/bin/tool
chmod +x shims/tool versions/2/bin/tool
say shim env PATH="$PWD/shims:$PATH" tool small.txt
echo 2 >.version
say shim env PATH="$PWD/shims:$PATH" tool a b
say shell-c-exec sh -c 'exec sh -c "exec sh -c \"exec sh -c true\""'
say deep sh -c 'f() { if [ "$1" -gt 0 ]; then sh -c "$F" "$0" "$(($1 - 1))"; else echo bottom; fi; }; export F="$(echo '"'"'if [ "$1" -gt 0 ]; then sh -c "$F" sh "$(($1 - 1))"; else echo bottom; fi'"'"')"; sh -c "$F" sh 40'
exit 11
