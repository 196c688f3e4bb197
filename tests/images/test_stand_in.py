"""The stand-in agent's package: unpacked as a build unpacks it, its program runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sm_ssh_entry.errors import ArtifactRefused, SmSshError
from sm_ssh_entry.images import files, imports, manifest, stand_in
from sm_ssh_entry.images.locks import Locks
from sm_ssh_entry.images.parallel import fetch_all
from tests.images.heard import Heard, entry, network
from tests.images.index import wheel

SHIPPED = files.source() / "images"
ARCH = "amd64"
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")


def unpacked(package: bytes, folder: Path) -> Path:
    (folder / "agent.deb").write_bytes(package)
    subprocess.run(["dpkg-deb", "--extract", folder / "agent.deb", folder / "root"], check=True, timeout=120)
    return folder / "root"


def made(folder: Path, **contents: bytes) -> bytes:
    names = {name.replace("__", "-") + ".whl": content for name, content in contents.items()}
    for name, content in names.items():
        (folder / name).write_bytes(content)
    entries = [entry(name, f"https://files.example/{name}", content) for name, content in names.items()]
    return stand_in.build(ARCH, entries, folder)


@needs_dpkg
def test_it_has_the_official_one_s_shape_and_says_what_it_is(tmp_path: Path) -> None:
    root = unpacked(made(tmp_path), tmp_path)
    program = root / "usr" / "bin" / "amazon-ssm-agent"
    assert program.read_text().startswith("#!/opt/sm-ssh/bin/python -I\n")
    assert program.stat().st_mode & 0o777 == 0o755
    assert "not the official" in (root / "etc" / "amazon" / "ssm" / "STAND-IN").read_text()


@needs_dpkg
def test_its_program_finds_what_is_compiled_for_the_python_that_runs_it(tmp_path: Path) -> None:
    """Another Python's folder is not looked at; ours stands before what serves all."""
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    package = made(
        tmp_path,
        **{
            f"rigid__1__{tag}__{tag}__x": wheel("rigid", "1", module="HERE = 'ours'"),
            "rigid__1__cp399__cp399__x": wheel("rigid", "1", module="HERE = 'not ours'"),
            "stable__1__cp39__abi3__x": wheel("stable", "1", module="HERE = 'for all'"),
        },
    )
    root = unpacked(package, tmp_path)
    script = root / "usr" / "bin" / "amazon-ssm-agent"
    script.write_text(
        script.read_text().replace("sys.exit(main())", "import rigid, stable\nprint(rigid.HERE, stable.HERE)")
    )
    done = subprocess.run([sys.executable, "-I", script], capture_output=True, text=True, check=False, timeout=180)
    assert (done.stdout, done.stderr) == ("ours for all\n", "")


def test_only_the_agent_and_what_it_imports_is_in_it() -> None:
    rooms = {path.relative_to(imports.PACKAGE).parts[0] for path in stand_in.modules()}
    assert rooms == {"plane", "pump", "wire", "__init__.py", "command.py", "contract.py", "errors.py"}
    plane = {path.relative_to(imports.PACKAGE).parts[1] for path in stand_in.modules() if "plane" in path.parts}
    assert plane == {"__init__.py", "agent"}


def test_the_same_wheels_give_the_same_bytes(tmp_path: Path) -> None:
    assert made(tmp_path, a__1__py3__none__any=wheel("a", "1")) == made(tmp_path, a__1__py3__none__any=wheel("a", "1"))


def test_a_wheel_that_reaches_outside_is_refused(tmp_path: Path) -> None:
    import io
    import zipfile

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("../../etc/passwd", "")
    with pytest.raises(ArtifactRefused, match="outside"):
        made(tmp_path, a__1__py3__none__any=held.getvalue())
    with pytest.raises(ArtifactRefused, match="no wheel"):
        made(tmp_path, a__1__py3__none__any=b"not a zip")


@needs_dpkg
@pytest.mark.skipif(sys.platform != "linux", reason="the compiled wheels are Linux's")
def test_with_the_locked_wheels_its_program_runs_and_registers_nothing(tmp_path: Path) -> None:
    """The real ones, from PyPI: the program starts, finds its own libraries and answers as the official one does."""
    import platform

    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
    if arch is None or f"3.{sys.version_info[1]}" not in manifest.read(SHIPPED / "artifacts.toml").stand_in.python:
        pytest.skip("no wheels are locked for this interpreter")
    entries = Locks(SHIPPED / "artifacts.lock", tmp_path / "own").find("agent", "stand-in", f"stand-in/{arch}")
    assert entries
    try:
        heard = Heard()
        network(heard).size(entries[0].url, tries=1)
    except SmSshError as error:
        pytest.skip(f"PyPI cannot be reached: {error}")
    fetch_all(entries, tmp_path, network(heard), heard, workers=4)
    root = unpacked(stand_in.build(arch, entries, tmp_path), tmp_path)
    program = root / "usr" / "bin" / "amazon-ssm-agent"
    version = subprocess.run([sys.executable, "-I", program, "-version"], capture_output=True, text=True, check=True)
    assert "not the official amazon-ssm-agent" in version.stdout
    libraries = program.read_text().replace(
        "sys.exit(main())",
        "import cryptography.hazmat.bindings._rust as rust, _cffi_backend as cffi, websockets.speedups as ws\n"
        "from cryptography.hazmat.primitives.asymmetric import rsa\n"
        "rsa.generate_private_key(public_exponent=65537, key_size=2048)\n"
        "print(rust.__file__, cffi.__file__, ws.__file__, sep='\\n')",
    )
    program.write_text(libraries)
    done = subprocess.run([sys.executable, "-I", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    home = str(root / "usr" / "lib" / "sm-ssh-stand-in")
    assert [line.startswith(home) for line in done.stdout.splitlines()] == [True] * 3
