"""An image with our package, made without any registry.

The base is this machine's own distribution, fetched from the mirrors that this machine is configured for. On it lies an
interpreter environment with the container's dependencies, and on that the checkout. Each is cached by the engine under
a tag that names what went in: a second run only packs the checkout.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.containers.engine import LABEL, docker

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("ca-certificates", "openssh-server", "procps", "python3")
SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list.d/ubuntu.sources"))
# Nothing here reads documentation, and nobody mourns an image whose making was cut by a power failure.
DPKG = ("force-unsafe-io", *(f"path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale")))
DEPENDENCIES = """\
FROM {base}
LABEL {label}=true
RUN useradd --uid 1000 --create-home --shell /bin/sh trainer
RUN python3 -m venv --copies --without-pip /opt/sm-ssh
COPY site /opt/sm-ssh/lib/python{version}/site-packages
"""
PACKAGE = """\
FROM {dependencies}
COPY sm_ssh_entry /opt/sm-ssh/lib/python{version}/site-packages/sm_ssh_entry
RUN ["/opt/sm-ssh/bin/python", "-I", "-c", "from sm_ssh_entry.boot import layout; layout.install('')"]
RUN ["/opt/sm-ssh/bin/python", "-I", "-m", "compileall", "-q", "/opt/sm-ssh/lib"]
ENTRYPOINT ["/opt/sm-ssh/bin/sm-ssh-entry"]
"""


def missing() -> str:
    """Say what this machine lacks to make the image; ``""``: nothing."""
    if shutil.which("mmdebstrap") is None:
        return "mmdebstrap is not installed"
    return "" if _sources() else "no apt sources of Debian or Ubuntu are configured here"


def build(folder: Path) -> str:
    """Make the image, or as much of it as is not there yet; return its tag.

    Args:
        folder: an empty folder for what goes in.
    """
    # Two test processes that begin at the same time: the second finds what the first has made.
    with (Path(tempfile.gettempdir()) / f"{LABEL}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _build(folder)


def _build(folder: Path) -> str:
    base = _base(folder)
    # The container's Python, not ours: the two may differ.
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = docker("run", "--rm", "--label", LABEL, base, "python3", "-c", ask).stdout.strip()
    dependencies = _dependencies(folder, base, version)
    context = folder / "package"
    shutil.copytree(ROOT / "sm_ssh_entry", context / "sm_ssh_entry", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "entrypoint", context / "sm_ssh_entry" / "entrypoint")
    tag = _built(f"{LABEL}:latest", context, PACKAGE.format(dependencies=dependencies, version=version))
    # The image that had this tag before, if the checkout has changed since.
    docker("image", "prune", "--force", "--filter", f"label={LABEL}")
    return tag


def _base(folder: Path) -> str:
    sources = _sources()
    suite = _os_release("VERSION_CODENAME")
    tag = _tag("base", sources, suite, *PACKAGES, *DPKG)
    if _there(tag):
        return tag
    options = [f"--dpkgopt={option}" for option in DPKG] + ['--aptopt=Acquire::Languages "none"']
    archive = folder / "base.tar"
    words = ["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", *options, suite, str(archive), "-"]
    _run(words, sources)
    docker("import", "--change", f"LABEL {LABEL}=true", str(archive), tag)
    archive.unlink()
    return tag


def _dependencies(folder: Path, base: str, version: str) -> str:
    # The stand-in agent signs with cryptography; the official one needs nothing of Python.
    extra = "cryptography>=42"
    tag = _tag("dependencies", base, DEPENDENCIES, (ROOT / "pyproject.toml").read_text(), extra)
    if _there(tag):
        return tag
    context = folder / "dependencies"
    site = context / "site"
    only = ["--python-version", version, "--only-binary=:all:", "--no-compile", "--target", str(site)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *only, f"{ROOT}[container]", extra])
    # The checkout's own files come last, as they change most often.
    shutil.rmtree(site / "sm_ssh_entry")
    return _built(tag, context, DEPENDENCIES.format(base=base, version=version, label=LABEL))


def _built(tag: str, context: Path, dockerfile: str) -> str:
    (context / "Dockerfile").write_text(dockerfile)
    docker("buildx", "build", "--quiet", "--load", "--network", "none", "--tag", tag, str(context), timeout=300)
    return tag


def _tag(name: str, *ingredients: str) -> str:
    return f"{LABEL}-{name}:{hashlib.sha256(repr(ingredients).encode()).hexdigest()[:16]}"


def _there(tag: str) -> bool:
    return docker("image", "inspect", tag, check=False).returncode == 0


def _sources() -> str:
    """Return the distribution's own sources: other files of that folder are other people's packages."""
    found = [path.read_text() for path in SOURCES if path.exists()]
    plain = Path("/etc/apt/sources.list")
    lines = plain.read_text().splitlines() if plain.exists() else []
    return "\n".join(found or [line for line in lines if line.startswith("deb ")])


def _os_release(key: str) -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return next(line.partition("=")[2].strip('"') for line in lines if line.startswith(f"{key}="))


def _run(words: list[str], stdin: str = "") -> None:
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{words[0]}: {done.stderr[-2000:]}"
