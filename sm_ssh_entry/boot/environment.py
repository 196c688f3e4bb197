"""The job's environment: read as it was given, kept for logins, and cleaned for our own services.

What reaches our Python may differ from what the container was given: the stub sets two variables aside that would
change our libraries, and Python itself adds ``LC_CTYPE`` in the C locale. The kernel's copy of the environment at exec
has neither Python's additions nor its idea of encodings, so that copy is the one we read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sm_ssh_entry.contract import Paths

# Names under which the stub sets variables aside.
KEPT = b"SM_SSH_KEPT_"
# What our services get beside SM_SSH_*. Everything else of the job's, credentials first of all, is not theirs.
PASSED = (
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CA_BUNDLE",
    "AWS_EC2_METADATA_DISABLED",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "LANG",
    "TZ",
)
PASSED_PREFIXES = ("SM_SSH_", "AWS_ENDPOINT_URL")
SERVICE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def given(source: str = "/proc/self/environ") -> dict[bytes, bytes]:
    """Return the environment that the container gave us, byte for byte.

    Args:
        source: the kernel's copy of our environment.
    """
    try:
        variables = parsed(Path(source).read_bytes())
    except OSError:
        variables = dict(os.environb)
    return {name.removeprefix(KEPT): value for name, value in variables.items()}


def parsed(data: bytes) -> dict[bytes, bytes]:
    """Return the variables of what the kernel, or ``snapshot``, has written: entries that each end with NUL."""
    return dict(entry.partition(b"=")[::2] for entry in data.split(b"\0") if b"=" in entry)


def text(variables: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return the same variables as Python keeps them: undecodable bytes as surrogates, which os.fsencode turns back."""
    return {os.fsdecode(name): os.fsdecode(value) for name, value in variables.items()}


def ours(variables: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the environment for another Python of ours: what the dynamic linker obeys is set aside again."""
    apart = (b"LD_PRELOAD", b"LD_LIBRARY_PATH")
    return {KEPT + name if name in apart else name: value for name, value in variables.items()}


def snapshot(variables: Mapping[bytes, bytes]) -> bytes:
    """Return what the login wrapper reads: ``NAME=value`` entries, each ended by NUL, as in ``env -0``."""
    return b"".join(name + b"=" + value + b"\0" for name, value in variables.items())


def service(variables: Mapping[str, str], paths: Paths) -> dict[str, str]:
    """Return the clean environment of sshd and the agent.

    The agent writes the managed node's credentials where ``AWS_SHARED_CREDENTIALS_FILE`` points. Left at its default
    it would overwrite ``~/.aws/credentials`` and so shadow the container's own role (protocol page, section 5).

    Args:
        variables: the job's environment.
        paths: where the container keeps its files.
    """
    clean = {name: value for name, value in variables.items() if name in PASSED or name.startswith(PASSED_PREFIXES)}
    clean["PATH"] = SERVICE_PATH
    clean["HOME"] = variables.get("HOME") or "/root"
    clean["AWS_SHARED_CREDENTIALS_FILE"] = str(paths.run / "node-credentials")
    if "AWS_CA_BUNDLE" in clean:
        # The agent is a Go program: its web sockets trust what this variable names, and do not read AWS's.
        clean.setdefault("SSL_CERT_FILE", clean["AWS_CA_BUNDLE"])
    return clean
