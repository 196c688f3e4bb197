"""The container's half: only what a container needs, the same bytes each time, and a wheel that pip installs."""

from __future__ import annotations

import ast
import csv
import hashlib
import importlib.metadata
import io
import re
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from sm_ssh_entry import __version__
from sm_ssh_entry.boot import layout
from sm_ssh_entry.images import container_wheel, files, imports, manifest

WANTED = manifest.read(files.source() / "images" / "artifacts.toml").wheels


def build() -> bytes:
    return container_wheel.build(WANTED.requirements, WANTED.python, layout.source())


@pytest.fixture(scope="module")
def archive() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(build()))


def test_only_rooms_of_a_container_are_in_it(archive: zipfile.ZipFile) -> None:
    rooms = {name.split("/")[1] for name in archive.namelist() if name.startswith("sm_ssh_entry/")}
    leaves = {"__init__.py", "aws.py", "command.py", "contract.py", "errors.py"}
    assert rooms == {"boot", "cli", "compat", "entrypoint", "in_script"} | leaves
    # What installs the layer, or belongs where jobs are submitted, is not.
    absent = ("/installation.py", "/staging.py", "/wrapper.py")
    assert not [name for name in archive.namelist() if name.endswith(absent)]
    assert {name for name in archive.namelist() if name.startswith("sm_ssh_entry/cli/")} == {
        "sm_ssh_entry/cli/__init__.py",
        "sm_ssh_entry/cli/entry.py",
    }


def test_every_module_imports_only_what_is_in_it_or_its_requirements(archive: zipfile.ZipFile) -> None:
    """Imports inside functions count: a container finds out about them at the worst time."""
    modules = {name: ast.parse(archive.read(name)) for name in archive.namelist() if name.endswith(".py")}
    ours = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in modules}
    names = {re.split(r"[<>=!~ ]", one)[0] for one in WANTED.requirements}
    # botocore is boto3's own other half: boto3 pins it.
    allowed = names | {"botocore"} | set(sys.stdlib_module_names)
    for file, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                asked = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                asked = {node.module or ""}
            else:
                continue
            for name in asked:
                found = name in ours if name.startswith("sm_ssh_entry") else name.split(".")[0] in allowed
                assert found, f"{file} imports {name}"


def test_every_name_of_ours_that_is_imported_is_there(archive: zipfile.ZipFile) -> None:
    """``from sm_ssh_entry import x`` may name a module: then it is in the wheel."""
    held = set(archive.namelist())
    for path in container_wheel.modules():
        for name in imports.imported(path):
            module = imports.PACKAGE.parent.joinpath(*name.split("."))
            for candidate in (module.with_suffix(".py"), module / "__init__.py"):
                if name.startswith("sm_ssh_entry") and candidate.is_file():
                    assert str(candidate.relative_to(imports.PACKAGE.parent)) in held


def test_its_requirements_are_those_of_the_project() -> None:
    asked = importlib.metadata.requires("sm-ssh-entry") or []
    plain = {one.replace(" ", "") for one in asked if ";" not in one}
    container = {
        one.partition(";")[0].replace(" ", "")
        for one in asked
        if "extra=='container'" in one.replace('"', "'").replace(" ", "")
    }
    assert set(WANTED.requirements) - container <= plain
    assert container <= set(WANTED.requirements)


def test_the_same_source_gives_the_same_bytes(archive: zipfile.ZipFile) -> None:
    assert build() == build()
    assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_record_names_every_file_with_its_checksum(archive: zipfile.ZipFile) -> None:
    record = archive.read(f"sm_ssh_container-{__version__}.dist-info/RECORD").decode()
    rows = {name: (digest, size) for name, digest, size in csv.reader(io.StringIO(record))}
    assert set(rows) == set(archive.namelist())
    for name, (digest, size) in rows.items():
        if not name.endswith("RECORD"):
            content = archive.read(name)
            expected = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={expected}", str(len(content)))


def test_pip_installs_it_and_its_command_line_runs(tmp_path: Path) -> None:
    path = tmp_path / container_wheel.FILE
    path.write_bytes(build())
    pip = [sys.executable, "-m", "pip", "install", "--isolated", "--no-index", "--no-deps", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", tmp_path / "site", path], check=True, timeout=120)
    script = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n" + (
        "from sm_ssh_entry.boot import layout\nfrom sm_ssh_entry.cli import entry\n"
        "import sm_ssh_entry\nprint(sm_ssh_entry.__file__)\n"
        "layout.install(sys.argv[1])\nentry.main(['--version'])\n"
    )
    argv = [sys.executable, "-I", "-c", script, str(tmp_path / "root")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        str(tmp_path / "site" / "sm_ssh_entry" / "__init__.py"),
        f"sm-ssh-entry, version {__version__}",
    ]
    installed = tmp_path / "root" / "opt" / "sm-ssh" / "bin" / "sm-ssh-entry"
    assert installed.read_bytes() == (layout.source() / "sm-ssh-entry").read_bytes()
    assert installed.stat().st_mode & 0o111
