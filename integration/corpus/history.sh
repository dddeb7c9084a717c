# A git repository from its first commit to gc.
set -e
git init -q repo
cd repo
git config user.name T
git config user.email t@example.org
cp -r ../dir ../big.bin ../lines.txt .
git add .
git commit -q -m first
git log --stat | cat
git mv lines.txt l
git commit -q -m second
git diff HEAD~1 | md5sum
git fsck --strict
git gc -q
git status --short
git clone -q . ../clone
git -C ../clone rev-parse HEAD
