"""Writes /opt/sm-ssh/layer.json: what the layer is, and how many bytes each part of it takes."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

PARTS = ("ours", "interpreter", "sshd", "agent", "aws-cli")
HOME = Path("/opt/sm-ssh")
DPKG = Path("/var/lib/dpkg/info")


def write(paths: list[str], root: str) -> None:
    """Write the file.

    Args:
        paths: what the layer has.
        root: the folder that it is gathered in.
    """
    state = Path(os.environ["STATE"])
    bytes_of = dict.fromkeys(PARTS, 0)
    owners = _owners(state)
    for path in paths:
        info = os.lstat(path)
        if not os.path.isdir(path) or os.path.islink(path):
            bytes_of[_part(path, owners)] += info.st_size
    interpreter = (state / "interpreter").read_text().strip()
    cli = state / "aws-cli.json"
    found: dict[str, Any] = {
        "version": os.environ["VERSION"],
        "variant": os.environ["VARIANT"],
        "base": (state / "os").read_text().strip(),
        "arch": os.environ["TARGETARCH"],
        "agent": json.loads((state / "agent.json").read_text()),
        "aws_cli": json.loads(cli.read_text()) if cli.exists() else None,
        "interpreter": {
            "path": interpreter,
            "version": _ask(interpreter, "-I", "-c", "import platform; print(platform.python_version())"),
            "brought": (state / "packages.interpreter").exists(),
        },
        "sshd": {"version": (state / "sshd").read_text().strip()},
        "bytes": {**bytes_of, "total": sum(bytes_of.values())},
    }
    target = Path(root + str(HOME / "layer.json"))
    target.write_text(json.dumps(found, indent=1) + "\n")
    target.chmod(0o644)


def _part(path: str, owners: dict[str, str]) -> str:
    if path.startswith(f"{HOME}/"):
        return "aws-cli" if path.startswith((f"{HOME}/aws-cli/", f"{HOME}/bin/aws")) else "ours"
    if path.startswith("/usr/lib/sm-ssh-stand-in/"):
        return "agent"
    if "/__pycache__/" in path and path.startswith("/usr/lib"):
        return "interpreter"
    return owners.get(path, "ours")


def _owners(state: Path) -> dict[str, str]:
    """Return path → part, for what packages and the agent brought."""
    owners = dict.fromkeys((state / "agent.files").read_text().splitlines(), "agent")
    for part in ("interpreter", "agent", "sshd"):
        names = state / f"packages.{part}"
        for name in names.read_text().split() if names.exists() else ():
            owners.update(dict.fromkeys(_files(name), part))
    return owners


def _files(package: str) -> list[str]:
    if not DPKG.is_dir():
        return _ask("rpm", "-ql", package).splitlines()
    listed = (DPKG / f"{package}.list").read_text().splitlines()
    # dpkg knows /lib/x where the file is /usr/lib/x.
    real = [os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)) for path in listed]
    return real + [str(path) for path in DPKG.glob(f"{package}.*")]


def _ask(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
