# Git's ordinary use, with its own checks.
exec 2>&1
set -e
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_PAGER=cat
git init -q -b main origin
cd origin
git config gc.auto 0
for n in $(seq 60); do mkdir -p d$((n % 7)); echo "file $n" >d$((n % 7))/$n; done
cp ../big.bin ../lines.txt .
git add -A && git commit -qm first
git checkout -q -b side && sed -i 's/line 0100/changed/' lines.txt && git commit -qam side
git checkout -q main && sed -i 's/line 0900/changed too/' lines.txt && git rm -q d1/1 && git mv d2/2 moved && git commit -qam main
git merge -q --no-edit side
git checkout -q -b rebased HEAD~1 && echo more >d3/new && git add d3 && git commit -qm more && git rebase -q main
git tag -a v1 -m one
git worktree add -q ../other side && (cd ../other && echo x >x && git add x && git commit -qm x)
git gc -q --prune=now && git fsck --full --strict
cd ..
git clone -q "file://$PWD/origin" cloned
git clone -q origin linked
cd cloned
git log --all --format='%H %s' | sort
git fsck
git status --short --branch
echo dirty >>lines.txt && git diff --stat && git stash -q && git status --short && git stash pop -q && git checkout -q -- .
echo line >>d3/3 && git commit -qam pushed && git push -q origin HEAD:refs/heads/pushed
cd ../origin && git log --format=%s pushed | head -2 && git grep -c changed main -- lines.txt
git archive main | tar tf - | sort | md5sum
git format-patch -q -1 side --stdout | git apply --check -R --include=nothing && echo applies
git bisect start main main~1 >/dev/null; git bisect run grep -q 'changed too' lines.txt >bisected || tail -3 bisected; git bisect reset >/dev/null
cd .. && rm -rf origin cloned linked other
