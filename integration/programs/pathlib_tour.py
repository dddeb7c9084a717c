"""pathlib and os: what everyday programs do, in one go."""

import os
from pathlib import Path

from say import attempt

here = Path.cwd()
print((here / "small.txt").read_text().split(), Path("dir").is_dir(), Path("absent").exists())
Path("made/deep/er").mkdir(parents=True)
attempt("again", lambda: Path("made").mkdir())
print(Path("made").mkdir(exist_ok=True), Path("made/x").touch(), Path("made/x").stat().st_size)
attempt("rmdir full", lambda: Path("made").rmdir())
Path("made/x").write_bytes(b"\x00\xff" * 1000)
print(Path("made/x").stat().st_size, Path("chain1").resolve().name, Path("link").readlink())
attempt("unlink absent", lambda: Path("absent").unlink())
Path("absent").unlink(missing_ok=True)
Path("made/x").rename("made/y").chmod(0o600)
print(oct(Path("made/y").stat().st_mode), sorted(p.name for p in Path("made").iterdir()))
attempt("replace", lambda: Path("made/y").replace("small.txt").name)
print(
    sorted(p.as_posix() for p in Path("dir").glob("**/*")), Path("~").expanduser() == Path(os.environ["HOME"])
)
Path("hard").hardlink_to("lines.txt")
print(
    Path("hard").samefile("lines.txt"),
    Path("hard").stat().st_nlink,
    Path("link").owner() == Path("dir").owner(),
)
attempt("removedirs", lambda: os.removedirs("made/deep/er"))
attempt("truncate", lambda: os.truncate("hard", 10))
print(Path("lines.txt").read_text(), os.path.getsize("lines.txt"), os.access("secret.txt", os.R_OK))
with open("dir/a") as file:
    print(
        os.fstat(file.fileno()).st_size, os.path.realpath(f"/proc/self/fd/{file.fileno()}").endswith("dir/a")
    )
print(os.listdir("emptydir"), os.path.ismount("/"), os.path.islink("dangling"), os.path.lexists("dangling"))
attempt("utime", lambda: os.utime("small.txt", ns=(1, 10**18 + 1)))
print(os.stat("small.txt").st_mtime_ns)
