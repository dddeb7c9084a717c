"""tempfile: named, nameless, spooled, directories; in the working directory and in the default place."""

import os
import tempfile

with tempfile.NamedTemporaryFile(dir=".") as file:
    file.write(b"named")
    file.flush()
    print(os.path.exists(file.name), open(file.name, "rb").read())
print(os.path.exists(file.name))
with tempfile.TemporaryFile() as nameless:
    nameless.write(b"nameless")
    nameless.seek(0)
    print(nameless.read(), os.fstat(nameless.fileno()).st_nlink)
with tempfile.TemporaryDirectory(dir="dir") as directory:
    open(f"{directory}/inside", "w").write("x")
    print(os.listdir(directory))
print(os.path.exists(directory))
with tempfile.SpooledTemporaryFile(max_size=10) as spooled:
    spooled.write(b"more than ten bytes")
    spooled.seek(0)
    print(spooled.read())
print(tempfile.gettempdir())
os.environ["TMPDIR"] = os.path.abspath("emptydir")
tempfile.tempdir = None
descriptor, name = tempfile.mkstemp(suffix=".x")
print(name.startswith(os.path.abspath("emptydir")), oct(os.fstat(descriptor).st_mode))
os.unlink(name)
