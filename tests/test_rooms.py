"""The rooms of the code base: who may import whom, how long a file is, and that importing a module has no effect."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sm_ssh_entry"
LEAVES = {"contract", "errors", "aws", "command", "engine"}
# room -> rooms it may import, beside the leaves and itself. A literal table: a new arrow is a decision.
ARROWS: dict[str, set[str]] = {
    "wire": set(),
    "pump": {"wire"},
    "boot": set(),
    "connect": {"pump", "wire"},
    "images": set(),
    "plane": {"pump", "wire"},
    # Neither imports boot or connect: it runs their programs.
    "sdk": set(),
    "in_script": {"images"},
    "compat": {"sdk", "in_script"},
    "cli": {"boot", "connect", "images", "in_script", "sdk", "account", "plane"},
    "__init__": set(),
}
LEAF_ARROWS = {
    "contract": set(),
    "errors": set(),
    "aws": {"errors"},
    "command": {"errors"},
    "engine": {"command", "errors"},
}
# One gate for child processes, one for AWS clients. The plane serves AWS's own APIs: it reads their public model and
# checks their signatures with botocore, in the modules named here and nowhere else.
GATES = {
    "subprocess": {"command.py"},
    "boto3": {"aws.py"},
    # Nobody waits for the SageMaker SDK: 2 to 5 s of import, and a version that must be the user's own.
    "sagemaker": set[str](),
    "botocore": {"aws.py", "plane/validation.py", "plane/signature.py", "plane/agent/signing.py"},
}
IMPURE = {
    "socket",
    "ssl",
    "select",
    "selectors",
    "threading",
    "asyncio",
    "time",
    "datetime",
    "random",
    "secrets",
    "os",
    "io",
    "pathlib",
}
VAGUE = {"util.py", "utils.py", "common.py", "helpers.py", "misc.py"}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def tracked() -> list[Path]:
    """Every file of the checkout that is ours: no environment, cache or build output."""
    skip = {
        ".git",
        ".venv",
        ".sdk",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        "dist",
        "build",
    }
    return [path for path in sorted(ROOT.rglob("*")) if path.is_file() and not skip & set(path.relative_to(ROOT).parts)]


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """Dotted names of all that a module imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", modules(), ids=name)
def test_arrows_between_rooms_go_one_way(path: Path) -> None:
    room = room_of(path)
    ours = {one.split(".")[1] for one in imported(path) if one.startswith("sm_ssh_entry.")}
    ours -= {"__version__"}
    if room in LEAVES:
        assert ours <= LEAF_ARROWS[room]
    else:
        assert ours - {room} - LEAVES <= ARROWS[room]


@pytest.mark.parametrize("path", modules(), ids=name)
def test_each_gate_has_one_keeper(path: Path) -> None:
    inside = str(path.relative_to(PACKAGE))
    for package, keepers in GATES.items():
        uses = any(one.split(".")[0] == package for one in imported(path))
        assert not uses or inside in keepers, f"{inside} imports {package}"


@pytest.mark.parametrize("path", [path for path in modules() if room_of(path) == "wire"], ids=name)
def test_wire_is_pure(path: Path) -> None:
    outside = {one.split(".")[0] for one in imported(path)} - {"sm_ssh_entry"}
    assert outside <= set(sys.stdlib_module_names) - IMPURE


@pytest.mark.parametrize("path", [path for path in tracked() if path.suffix == ".py"], ids=name)
def test_no_file_is_long_or_vaguely_named(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert path.name not in VAGUE


def test_shell_scripts_are_short() -> None:
    scripts = [
        path
        for path in tracked()
        if path.suffix != ".py" and path.read_bytes()[:64].startswith((b"#!/bin/sh", b"#!/bin/bash"))
    ]
    assert scripts, "no shell script found: the search is wrong"
    for path in scripts:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 60, name(path)


def test_importing_any_module_has_no_effect(tmp_path: Path) -> None:
    """Import everything in one fresh process: no output, file, thread, socket, changed variable or signal handler."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in modules()]
    script = f"""
import importlib, os, signal, sys, threading
before = dict(os.environ), [signal.getsignal(n) for n in range(1, 32)], os.getcwd(), os.umask(0o22)
descriptors = set(os.listdir('/proc/self/fd')) if os.path.isdir('/proc/self/fd') else set()
for name in {[one for one in names if not one.endswith("__main__")]!r}:
    importlib.import_module(name)
assert dict(os.environ) == before[0]
assert [signal.getsignal(n) for n in range(1, 32)] == before[1]
assert os.getcwd() == before[2] and os.umask(0o22) == before[3]
assert threading.active_count() == 1, threading.enumerate()
if descriptors:
    assert set(os.listdir('/proc/self/fd')) == descriptors
"""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
