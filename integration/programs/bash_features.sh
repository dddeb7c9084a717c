#!/bin/bash
# bash: process substitution, coprocesses, arrays, globstar, /dev/tcp absent, mapfile, read with timeouts.
shopt -s globstar nullglob
diff <(sort -r small.txt) <(tac small.txt) && echo same
mapfile -t lines < lines.txt
echo "${#lines[@]} ${lines[999]}"
files=(dir/**)
printf '%s\n' "${files[@]}" | sort
coproc cat
echo through the coprocess >&"${COPROC[1]}"
read -r back <&"${COPROC[0]}"
echo "$back"
exec {fd}< small.txt
read -r -u "$fd" first
echo "$first"
read -r -t 0.05 nothing < <(sleep 1) || echo timed out
while IFS= read -r -d '' name; do printf '%q\n' "$name"; done < <(find odd -print0 | sort -z)
(ulimit -n 50; ulimit -n)
echo $BASHPID $$ | awk '{ print ($1 == $2) ? "same" : "other" }'
printf '%(%Y)T\n' 0
false | true; echo "${PIPESTATUS[@]}"
trap 'echo got it' USR1; kill -USR1 $$
exit 3
