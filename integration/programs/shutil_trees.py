"""shutil: copytree, copy2 with times and modes, move, rmtree, make_archive, which, disk_usage."""

import os
import shutil

from say import attempt, listing, sha

attempt("copytree", lambda: shutil.copytree("dir", "copied", symlinks=True))
print(listing("copied"))
print(os.stat("copied/a").st_mtime_ns == os.stat("dir/a").st_mtime_ns)
attempt("copytree again", lambda: shutil.copytree("dir", "copied"))
attempt("merge", lambda: shutil.copytree("tree", "copied", dirs_exist_ok=True))
attempt("copy2", lambda: shutil.copy2("script.sh", "dir/script2.sh"))
print(oct(os.stat("dir/script2.sh").st_mode), os.stat("dir/script2.sh").st_mtime_ns)
attempt("copy big", lambda: shutil.copyfile("big.bin", "big2.bin"))
print(sha("big.bin") == sha("big2.bin"))
attempt("move", lambda: shutil.move("copied", "dir"))
attempt("move file over", lambda: shutil.move("big2.bin", "lines.txt"))
print(sha("lines.txt"))
attempt("archive", lambda: os.path.basename(shutil.make_archive("packed", "gztar", "dir")))
attempt("unpack", lambda: shutil.unpack_archive("packed.tar.gz", "unpacked"))
print(listing("unpacked"))
os.remove("packed.tar.gz")  # holds times of now
attempt("rmtree", lambda: shutil.rmtree("dir"))
attempt("rmtree absent", lambda: shutil.rmtree("dir"))
print(shutil.which("sh") is not None, shutil.disk_usage(".").total > 0)
