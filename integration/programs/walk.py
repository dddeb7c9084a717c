"""os.walk, os.fwalk, os.scandir and pathlib over the tree say the same."""

import os
from pathlib import Path

for parent, directories, files in os.walk("."):
    directories.sort()
    print(os.fsencode(parent), sorted(map(os.fsencode, directories)), sorted(map(os.fsencode, files)))
print(sum(len(files) for _, _, files, _ in os.fwalk("dir")))
with os.scandir(".") as entries:
    for entry in sorted(entries, key=lambda entry: entry.name):
        kinds = (
            entry.is_file(follow_symlinks=False),
            entry.is_dir(follow_symlinks=False),
            entry.is_symlink(),
        )
        same = entry.inode() == entry.stat(follow_symlinks=False).st_ino
        print(entry.name, *kinds, same)
print(sorted(os.fsencode(path) for path in Path().rglob("*a*")))
