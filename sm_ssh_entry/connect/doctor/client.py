"""This machine: Python, OpenSSH, the key, ``~/.ssh``, proxies and certificates. Nothing here asks the network."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import ssl
import stat
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from sm_ssh_entry import aws, command
from sm_ssh_entry.connect import folder, keys
from sm_ssh_entry.connect.doctor.case import Case
from sm_ssh_entry.connect.doctor.findings import Finding, bad, ok, unchecked

PYTHON = (3, 10)
# KexAlgorithms=^… and Include, both of which we use: OpenSSH 8.0 and 7.3.
OPENSSH = (8, 0)
_INSTALL = {
    "linux": "apt-get install openssh-client (Debian, Ubuntu) or dnf install openssh-clients",
    "darwin": "macOS has it in /usr/bin: put that on PATH",
    "win32": "Add-WindowsCapability -Online -Name OpenSSH.Client~~~~0.0.1.0",
}
_TRIAL = "doctor.training.sagemaker"
_UNKNOWN_NAMES = "plain ssh does not know these names: sm-ssh config teaches it. sm-ssh connect needs nothing"


def python(_: Case) -> Finding:
    """Is this Python new enough?"""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < PYTHON:
        return bad(f"Python {version}", "install Python 3.10 or newer, and sm-ssh in it")
    return ok(f"Python {version}, {sys.executable}")


def openssh(_: Case) -> Finding:
    """Are ``ssh`` and ``ssh-keygen`` there, and new enough?"""
    install = _INSTALL.get(sys.platform, "install OpenSSH's client")
    for program in ("ssh", "ssh-keygen"):
        if shutil.which(program) is None:
            return bad(f"there is no {program} on PATH", install)
    said = command.run(["ssh", "-V"], timeout=10)
    version = re.search(r"OpenSSH\w*?_(?:for_Windows_)?(\d+)\.(\d+)\S*", said.stderr + said.stdout)
    if not version:
        return unchecked(f"{shutil.which('ssh')} does not say which version it is")
    if (int(version[1]), int(version[2])) < OPENSSH:
        return bad(f"{version[0]} is older than 8.0", install)
    return ok(f"{version[0]}, {shutil.which('ssh')}")


def ssh_folder(_: Case) -> Finding:
    """Is ``~/.ssh`` as ``ssh`` wants it: ours, and nobody else writes to it?"""
    path = folder.ssh_folder()
    if not path.exists():
        return ok(f"{path} is not there yet; it is made when it is needed")
    if not path.is_dir():
        return bad(f"{path} is not a folder", f"mv {path} {path}.old")
    if os.name == "nt":
        return unchecked("access lists of Windows are not looked at")
    for one in (path, path / "config", path / "sm-ssh"):
        open_to = _open_to(one) if one.exists() else None
        if open_to:
            return open_to
    if not os.access(path, os.W_OK | os.X_OK):
        return bad(f"{path} cannot be written to", f"chmod u+rwx {path}")
    return ok(str(path))


def _open_to(path: Path) -> Finding | None:
    state = path.stat()
    if hasattr(os, "geteuid") and state.st_uid not in (os.geteuid(), 0):
        return bad(f"{path} belongs to somebody else", f"sudo chown -R $USER {path}")
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return bad(f"others may write to {path}: ssh refuses that", f"chmod go-w {path}")
    return None


def key(case: Case) -> Finding:
    """Is there a key, of the right kind, that ``ssh`` will use?"""
    found = keys.existing(case.reach.identity)
    if not found:
        return ok("none yet: one is made at the first login")
    first = found[0]
    private = first.identity
    if private.suffix != ".pub" and private.is_file() and os.name != "nt":
        mode = stat.S_IMODE(private.stat().st_mode)
        if mode & 0o077:
            return bad(
                f"{private} has mode {mode:04o}: ssh does not use a key that others may read", f"chmod 600 {private}"
            )
    return ok(f"{first.fingerprint}, {private}")


def config(_: Case) -> Finding:
    """Does plain ``ssh`` understand its configuration, and know these names?"""
    path = folder.ssh_folder() / "config"
    if not path.exists():
        return unchecked(_UNKNOWN_NAMES)
    # -F: ssh looks for it in the home that the system names, whatever HOME says.
    said = command.run(["ssh", "-G", "-F", path, _TRIAL], timeout=10)
    if not said.ok:
        lines = [line for line in said.stderr.splitlines() if line.strip()]
        return bad(f"ssh does not take {path}: {lines[0] if lines else said.returncode}", f"mend that line of {path}")
    proxy = next((line[13:] for line in said.stdout.splitlines() if line.startswith("proxycommand ")), "")
    if not proxy or proxy == "none":
        return unchecked(_UNKNOWN_NAMES)
    if "sm-ssh" not in proxy and "sm_ssh_entry" not in proxy:
        return bad(f"another ProxyCommand is set for *.sagemaker: {proxy}", "sm-ssh config")
    program = (shlex.split(proxy, posix=os.name != "nt") or [""])[0].strip('"')
    if shutil.which(program) is None:
        return bad(f"its ProxyCommand names {program}, which is not there", "sm-ssh config")
    return ok(f"{path}: plain ssh reaches *.sagemaker")


def proxies(_: Case) -> Finding:
    """Can the proxy variables be what they should be?"""
    named = {name: value for name, value in urllib.request.getproxies().items() if name in {"http", "https", "all"}}
    for name, value in named.items():
        parts = urllib.parse.urlsplit(value if "://" in value else f"http://{value}")
        try:
            right = bool(parts.hostname) and parts.port != 0
        except ValueError:
            right = False
        if not right:
            variable = f"{name}_proxy"
            return bad(f"{variable} is not the address of a proxy", f"export {variable}=http://proxy.example.com:3128")
    if not named:
        return ok("none set")
    return ok("set for " + ", ".join(sorted(named)) + (f"; not for {_no_proxy()}" if _no_proxy() else ""))


def certificates(case: Case) -> Finding:
    """Can the file of certificate authorities be read?"""
    path = Path(aws.ca_bundle(case.reach.profile))
    try:
        ssl.create_default_context().load_verify_locations(str(path))
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "it holds no certificate"
        return bad(f"{path}: {reason}", "name a PEM file in AWS_CA_BUNDLE, or unset it: unset AWS_CA_BUNDLE")
    return ok(str(path))


def _no_proxy() -> str:
    return os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
