"""sshd's configuration: made from our template, checked by sshd itself, adapted to the sshd that is there."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import re
import shlex
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from sm_ssh_entry import command
from sm_ssh_entry.boot import layout, procfs, status
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed, ToolMissing

_SFTP_SERVERS = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/sftp-server",
)
# Since OpenSSH 9.8 sshd shuts out addresses whose logins fail. Every login of ours comes from the agent, that is from
# the loopback address: one wrong key would lock everybody out. Older servers do not know the word.
_EXEMPT = "PerSourcePenaltyExemptList 127.0.0.0/8,::1/128\n"


# What sshd of root does for each login: chroot, groups, user. Numbers: include/uapi/linux/capability.h.
_CAPABILITIES = {"SETGID": 6, "SETUID": 7, "SYS_CHROOT": 18}


@dataclass(frozen=True)
class Server:
    """An sshd that is ready to be started: its port, and what there is to say about it."""

    port: int
    remarks: tuple[str, ...] = ()


def program() -> str:
    """Return the full path of sshd, which wants to be started by it; empty where there is none."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin") or ""


def argv(path: str, paths: Paths) -> tuple[str, ...]:
    """Return sshd's command line: in the foreground, its log on standard error.

    Args:
        path: sshd.
        paths: where the container keeps its files.
    """
    return (path, "-D", "-e", "-f", str(paths.run / "sshd_config"))


def _free(address: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, port))
        return int(probe.getsockname()[1])


def choose_port(asked: int | None, *, prefixed: bool, root: bool) -> tuple[int, str]:
    """Return the port to listen on, and a remark where it is not the one the reader expects.

    Args:
        asked: SSH_PORT; None where it is not set.
        prefixed: whether we run below a root prefix, beside others on one host: then any free port.
        root: whether our user is root, who alone may take 22.

    Raises:
        SetupFailed: the port that was asked for is taken.
    """
    if asked is None and prefixed:
        return _free("127.0.0.1", 0), ""
    port = asked or (22 if root else 2222)
    try:
        return _free("127.0.0.1", port), ""
    except OSError as error:
        if asked is not None or error.errno != errno.EADDRINUSE:
            hint = "give SSH_PORT another number"
            raise SetupFailed(f"sshd cannot listen on port {port} ({error.strerror})", hint=hint) from error
    other = _free("127.0.0.1", 0)
    return other, f"port {port} is taken by another program; our sshd listens on {other}"


def addresses(*, several_nodes: bool) -> tuple[str, ...]:
    """Return the addresses to listen on: loopback, unless other nodes of the job are to reach us.

    Args:
        several_nodes: whether the job has other nodes.
    """
    pairs = (("0.0.0.0", "127.0.0.1"), ("::", "::1")) if several_nodes else (("127.0.0.1",) * 2, ("::1",) * 2)  # noqa: S104
    usable = []
    for address, loopback in pairs:
        with contextlib.suppress(OSError):
            _free(loopback, 0)
            usable.append(address)
    return tuple(usable)


def check_account(proc: str = "/proc") -> None:
    """Make sure that our user can run sshd: it needs a name, and root what root usually may.

    Args:
        proc: root of proc, for tests.

    Raises:
        SetupFailed: the image's /etc/passwd does not know the user, or root lacks capabilities.
    """
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        number = os.geteuid()
        hint = f"sshd needs one; in the image, RUN useradd --uid {number} --create-home NAME"
        raise SetupFailed(f"the container's user {number} has no name in this image", hint=hint) from None
    # Without them sshd starts, answers, and cuts off every login.
    held = procfs.mask("self", "CapEff", proc)
    lacking = [name for name, bit in _CAPABILITIES.items() if not held >> bit & 1]
    if os.geteuid() == 0 and lacking:
        hint = "give the container the engine's default capabilities, or run it as another user"
        raise SetupFailed(f"this container's root may not set up logins: it lacks {', '.join(lacking)}", hint=hint)


def prepare(paths: Paths, *, port: int | None, several_nodes: bool) -> Server:
    """Write sshd's configuration and have sshd check it.

    Args:
        paths: where the container keeps its files. The host key must be there.
        port: SSH_PORT; None where it is not set.
        several_nodes: whether the job has other nodes.

    Raises:
        ToolMissing: no sshd here.
        SetupFailed: the port is taken, or sshd refuses the configuration.
    """
    found = program()
    if not found:
        raise ToolMissing("no sshd in this image", hint="add the sm-ssh layer, or install openssh-server")
    root = os.geteuid() == 0
    chosen, remark = choose_port(port, prefixed=bool(paths.root), root=root)
    user = pwd.getpwuid(os.geteuid())
    own_keys = "" if paths.root else f" {_quoted(Path(user.pw_dir) / '.ssh' / 'authorized_keys')}"
    sftp = next((path for path in _SFTP_SERVERS if os.access(path, os.X_OK)), "")
    login = [sys.executable, "-I", "-S", str(paths.bin / layout.LOGIN), str(paths.environment), str(paths.bin)]
    text = layout.render(
        "sshd_config",
        {
            "port": str(chosen),
            "listen": " ".join(addresses(several_nodes=several_nodes)),
            "host_key": _quoted(paths.run / "ssh_host_ed25519_key"),
            # In this one value sshd gives percent signs a meaning.
            "authorized_keys": (_quoted(paths.authorized_keys) + own_keys).replace("%", "%%"),
            "strict": "yes" if _safe(paths.run) else "no",
            "pid_file": _quoted(paths.run / "sshd.pid"),
            "login": " ".join(shlex.quote(word) for word in login),
            "sftp": f"Subsystem sftp {sftp}" if sftp else "# no sftp-server in this image",
        },
    )
    text = _one_line_each(text, "ListenAddress")
    _check(found, paths.run / "sshd_config", text)
    remarks = tuple(line for line in (remark, _locked(user.pw_name) if root else "") if line)
    return Server(chosen, remarks)


def answers(port: int, *, timeout: float = 1.0) -> bool:
    """Tell whether an SSH server answers on a loopback port.

    Args:
        port: TCP port.
        timeout: seconds for its first bytes.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _safe(folder: Path) -> bool:
    """Tell whether sshd's StrictModes would take a folder: nobody else may write it or a folder above it.

    It would not take /run on a tmpfs (mode 1777 by default), nor anything below /tmp. The folder itself is ours alone
    all the same, see status.prepare, and no one can replace it in a sticky folder.
    """
    return not any(above.stat().st_mode & 0o022 for above in (folder, *folder.parents))


def _quoted(path: Path) -> str:
    return f'"{path}"'


def _one_line_each(text: str, keyword: str) -> str:
    found = re.search(rf"^{keyword} (.+)$", text, re.MULTILINE)
    if found is None:
        return text
    return text.replace(found[0], "\n".join(f"{keyword} {word}" for word in found[1].split()))


def _check(path: str, config: Path, text: str) -> None:
    """Have sshd read the file; meet it where it can be met: an option it is too old for, a folder it lacks."""
    status.write_private(config, (_EXEMPT + text).encode())
    said = ""
    for _ in range(3):
        tried = command.run([path, "-t", "-f", config], timeout=30)
        if tried.ok:
            return
        said = tried.stderr
        if missing := re.search(r"[Mm]issing privilege separation directory: (/\S+)", said):
            Path(missing[1]).mkdir(mode=0o755, parents=True, exist_ok=True)
        elif "PerSourcePenaltyExemptList" in said:
            status.write_private(config, text.encode())
        else:
            break
    reason = said.strip().splitlines()[-1] if said.strip() else "no reason given"
    raise SetupFailed(f"sshd refuses our configuration: {reason}", hint="is the OpenSSH server whole in this image?")


def _locked(user: str) -> str:
    """Complain where sshd will refuse the account: without PAM, a password field that starts with ! is a lock."""
    try:
        lines = Path("/etc/shadow").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    if any(line.startswith(f"{user}:!") for line in lines):
        hint = f"in the image, RUN usermod -p '*' {user}"
        return f"ERROR the account {user} is locked, logins will be refused (hint: {hint})"
    return ""
