"""The stand-in agent as a package of the official one's shape: for builds where AWS cannot be reached.

``/usr/bin/amazon-ssm-agent`` starts the local control plane's agent, on the layer's own Python, from a folder of its
own: ``any/`` has our modules and what serves every Python, ``cp311/`` what serves one. botocore is the layer's.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from sm_ssh_entry import __version__
from sm_ssh_entry.errors import ArtifactRefused
from sm_ssh_entry.images import deb, imports, lockfile, wheels
from sm_ssh_entry.images.lockfile import Entry

HOME = "/usr/lib/sm-ssh-stand-in"
PROGRAM = "/usr/bin/amazon-ssm-agent"
NOTICE = "/etc/amazon/ssm/STAND-IN"
_START = '''\
#!/opt/sm-ssh/bin/python -I
"""The stand-in agent of sm-ssh's local control plane, under the official agent's name."""
import sys
from pathlib import Path

home = Path(__file__).resolve().parents[1] / "lib" / "sm-ssh-stand-in"
sys.path[:0] = [str(home / f"cp{sys.version_info[0]}{sys.version_info[1]}"), str(home / "any")]
from sm_ssh_entry.plane.agent.__main__ import main

sys.exit(main())
'''
_NOTICE = """\
This is not the official amazon-ssm-agent. It is the stand-in agent of sm-ssh, which speaks with sm-ssh's local control
plane (sm-ssh local up) and is never part of a release. `sm-ssh image fetch --agent official` fetches the official one.
"""


def version() -> str:
    """Return what an image's label calls it."""
    return __version__


def build(arch: str, entries: Sequence[Entry], folder: Path) -> bytes:
    """Return the package.

    Args:
        arch: processor.
        entries: its wheels.
        folder: the folder of artifacts, where they lie.

    Raises:
        ArtifactRefused: a wheel is no wheel.
    """
    files = {
        f"{HOME}/any/{path.relative_to(imports.PACKAGE.parent)}": deb.File(path.read_bytes()) for path in modules()
    }
    for entry in entries:
        part = "any" if wheels.serves_all(entry) else wheels.python_tag(entry)
        files |= _unpacked(folder / entry.file, f"{HOME}/{part}")
    files[PROGRAM] = deb.File(_START.encode(), 0o755)
    files[NOTICE] = deb.File(_NOTICE.encode())
    control = {
        "Package": "amazon-ssm-agent",
        "Version": f"{version()}+standin",
        "Architecture": arch,
        "Maintainer": "sm-ssh <sm-ssh@localhost>",
        "Section": "admin",
        "Priority": "optional",
        "Description": "stand-in for amazon-ssm-agent, for sm-ssh's local control plane",
    }
    return deb.build(control, files)


def modules() -> list[Path]:
    """Return our modules in it: the agent and what it imports."""
    return imports.closure(imports.room("plane/agent"))


def _unpacked(wheel: Path, below: str) -> dict[str, deb.File]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            items = [item for item in archive.infolist() if not item.is_dir()]
            if not all(lockfile.relative(item.filename) for item in items):
                raise ArtifactRefused(f"{wheel.name} has files outside its folder")
            return {str(PurePosixPath(below) / item.filename): deb.File(archive.read(item)) for item in items}
    except zipfile.BadZipFile as error:
        raise ArtifactRefused(f"{wheel.name} is no wheel: {error}") from error
