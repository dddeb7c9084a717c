"""zipfile, tarfile, gzip, bz2, lzma: written, read back, seeked in."""

import gzip
import io
import lzma
import tarfile
import zipfile

from say import sha

when = (2020, 1, 2, 3, 4, 6)


def nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


with zipfile.ZipFile("out.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for name in ("small.txt", "big.bin", "lines.txt"):
        with open(name, "rb") as file:
            archive.writestr(zipfile.ZipInfo(name, when), file.read(), zipfile.ZIP_DEFLATED)
with zipfile.ZipFile("out.zip", "a") as archive:
    archive.writestr(zipfile.ZipInfo("added", when), b"appended later")
with zipfile.ZipFile("out.zip") as archive:
    print(archive.testzip(), archive.namelist())
    with archive.open("lines.txt") as member:
        member.seek(5000)
        print(member.readline())
print(sha("out.zip"))
with tarfile.open("out.tar", "w") as tar:
    for name in ("small.txt", "dir", "sparse.bin", "link"):
        tar.add(name, filter=nobodys)
with tarfile.open("out.tar") as tar:
    print(sorted((member.name, member.type) for member in tar))
    tar.extractall("extracted")
print(sha("extracted/sparse.bin") == sha("sparse.bin"))
with gzip.GzipFile("out.gz", "wb", mtime=0) as packed, open("big.bin", "rb") as plain:
    packed.write(plain.read())
with gzip.open("out.gz") as packed, open("big.bin", "rb") as plain:
    print(packed.read() == plain.read())
with lzma.open("out.xz", "w") as packed:
    packed.write(b"x" * 1_000_000)
print(sha("out.xz"), len(lzma.open("out.xz").read()))
print(zipfile.is_zipfile("small.txt"), len(io.open("out.gz", "rb").read()))
