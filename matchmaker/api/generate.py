"""Makes the protobuf modules of all three api folders from their .proto files.

Owns: how they are generated, so that a test can do it again and compare. Run it from the checkout:
`python -m hpool.matchmaker.api.generate` (wants grpcio-tools; see pyproject.toml for the oldest that serves).
Services are not generated: api/ modules declare them over hosting.service, with typed values.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Final

FOLDERS: Final = ("matchmaker/api", "shadow/api", "sandbox/api")


def generate(root: Path, target: Path) -> list[Path]:
    """Writes *_pb2.py and *_pb2.pyi of every .proto below `root` to `target`; returns them."""
    import grpc_tools
    from grpc_tools import protoc

    protos = sorted(path for folder in FOLDERS for path in (root / folder).glob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        include = Path(grpc_tools.__file__).parent / "_proto"
        status = protoc.main(
            [
                "protoc",
                f"-I{root}",
                f"-I{include}",
                f"--python_out={scratch}",
                f"--pyi_out={scratch}",
                *(str(path.relative_to(root)) for path in protos),
            ]
        )
        if status != 0:
            raise SystemExit(f"protoc failed with {status}")
        written = []
        for made in sorted(Path(scratch).rglob("*_pb2.py*")):
            place = target / made.relative_to(scratch)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(_in_our_namespace(made.read_text()))
            written.append(place)
    return written


def _in_our_namespace(source: str) -> str:
    """The folders are installed below hpool: imports of one another must say so."""
    source = re.sub(
        r"^from (shadow|sandbox|matchmaker)\.api import", r"from hpool.\1.api import", source, flags=re.M
    )
    return source.replace(", _Mapping]", ", _Mapping[str, object]]")


if __name__ == "__main__":
    checkout = Path(__file__).resolve().parents[2]
    for path in generate(checkout, checkout):
        print(path.relative_to(checkout), file=sys.stderr)
