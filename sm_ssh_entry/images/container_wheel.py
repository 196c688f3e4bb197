"""The container's half of sm-ssh as a wheel of its own: nothing of the laptop or the plane is in it.

The same source gives the same bytes: no time, no order of a folder and no compression of a library's choice is in it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from sm_ssh_entry import __version__
from sm_ssh_entry.images import imports

NAME = "sm_ssh_container"
FILE = f"{NAME}-{__version__}-py3-none-any.whl"
_INFO = f"{NAME}-{__version__}.dist-info"
# What serves a script where the layer is in the image. The rest installs it, or is for where jobs are submitted.
IN_SCRIPT = ("__init__", "entering", "profiler", "sessions", "telling")
# The first moment that a zip can name.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build(requirements: Sequence[str], python: str, entrypoint: Path) -> bytes:
    """Return the wheel.

    Args:
        requirements: what it imports beside the standard library, as Requires-Dist.
        python: the lowest version it runs on.
        entrypoint: the folder of the files that go into an image as they are.
    """
    files = {str(path.relative_to(imports.PACKAGE.parent)): path.read_bytes() for path in modules()}
    files |= {
        f"sm_ssh_entry/entrypoint/{path.name}": path.read_bytes()
        for path in sorted(entrypoint.iterdir())
        if path.is_file()
    }
    files[f"{_INFO}/METADATA"] = _metadata(requirements, python).encode()
    files[f"{_INFO}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: sm-ssh\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in sorted(files.items())]
    files[f"{_INFO}/RECORD"] = "\n".join([*record, f"{_INFO}/RECORD,,", ""]).encode()
    return _zip(files)


def modules() -> list[Path]:
    """Return the modules in it: the boot, the container's command line, what a script imports, and what they import."""
    return imports.closure(
        [
            *imports.room("boot"),
            imports.PACKAGE / "cli" / "entry.py",
            *(imports.PACKAGE / "in_script" / f"{name}.py" for name in IN_SCRIPT),
            imports.PACKAGE / "compat" / "sagemaker_ssh_helper" / "__init__.py",
        ]
    )


def _metadata(requirements: Sequence[str], python: str) -> str:
    needs = "".join(f"Requires-Dist: {one}\n" for one in requirements)
    return (
        f"Metadata-Version: 2.1\nName: sm-ssh-container\nVersion: {__version__}\n"
        f"Summary: SSH into Amazon SageMaker containers: the container's half\nLicense: MIT-0\n"
        f"Requires-Python: >={python}\n{needs}"
    )


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _zip(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        # dist-info stands last, as the format asks for.
        for name in sorted(files, key=lambda one: (one.startswith(_INFO), one)):
            item = zipfile.ZipInfo(name, _EPOCH)
            item.create_system = 3  # Unix, also where it is built elsewhere
            item.external_attr = 0o100644 << 16
            archive.writestr(item, files[name])  # stored: zlib's output depends on its version
    return held.getvalue()
