"""On from another node: the system's ``ssh`` to that node, through us, and from its sshd to the one that is meant.

We stand between the outer ``ssh`` and this one: standard input is its own, standard output passes through us, so that
the host key of the node behind can be learned; and what it says on standard error becomes one line.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

from sm_ssh_entry import command
from sm_ssh_entry.connect import keys, outcome, ssh_client, ssh_command, stdio
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.opening import Jump
from sm_ssh_entry.connect.ssh_command import Words
from sm_ssh_entry.errors import NotFound, SessionFailed, SmSshError

_CHUNK = 1 << 16
_STDOUT = 1
# Its usual level, whatever the user's own configuration says: below it ssh does not tell why the way ends.
_OPTIONS = ("-o", "LogLevel=INFO", "-o", "ConnectTimeout=60")
# sshd's words for what became of the connection that it was asked to make, which ssh repeats at its usual level
# (OpenSSH, channels.c and serverloop.c).
_UNKNOWN_NAME = ("Name or service not known", "nodename nor servname", "Temporary failure in name resolution")
_UNREACHABLE = ("Connection refused", "No route to host", "Connection timed out", "Network is unreachable")
_FORBIDDEN = "administratively prohibited"


def run(jump: Jump, reach: Reach, region: str, watch: Callable[[bytes], None]) -> int:
    """Join our standard input and output to the sshd of the node behind.

    Args:
        jump: where from, and where to.
        reach: options of the command; they hold for the way to the first node as well.
        region: the region in use.
        watch: is given what the node sends, each piece before it goes on to standard output.

    Raises:
        SmSshError: the first node could not be reached, or does not lead on.
    """
    target = Target(node_id=jump.node_id, user=jump.user)
    inner = replace(reach, region=region or None, via="", index=0)
    with ssh_client.notes() as kept:
        proxy = ssh_command.proxy_words(target, inner, outcome=kept.outcome)
        words = Words(options=("-W", f"{jump.host}:{jump.port}"))
        argv = ssh_command.ssh_argv(target, proxy, keys.candidates(reach.identity), words, extra=_OPTIONS)
        child = command.spawn(argv, stdin=None, stdout=command.PIPE, stderr=command.PIPE)
        ended = _end_with(child)
        said: list[str] = []
        reader = threading.Thread(target=_read_lines, args=(child, said), name="stderr", daemon=True)
        reader.start()
        greeted = _pass_on(child, watch)
        status = child.wait()
        reader.join(timeout=1)
        if ended or status == 0:
            return 0
        left = outcome.taken(kept.outcome)
        raise left[0] if left else _failure(jump, said, greeted=greeted)


def _end_with(child: command.Popen[bytes]) -> list[int]:
    """Let what ends us end the child; return a list that is empty until then."""
    ended: list[int] = []

    def end(number: int, _frame: object) -> None:
        ended.append(number)
        child.terminate()

    for name in ("SIGHUP", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)
    return ended


def _pass_on(child: command.Popen[bytes], watch: Callable[[bytes], None]) -> bool:
    """Hand on what the node says until it ends, or nobody listens; return whether it said anything."""
    assert child.stdout is not None  # noqa: S101 - it is a pipe
    stdio.make_binary(_STDOUT)
    greeted = False
    while data := os.read(child.stdout.fileno(), _CHUNK):
        greeted = True
        watch(data)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(_STDOUT, view) :]
        except OSError:
            child.terminate()
            break
    return greeted


def _read_lines(child: command.Popen[bytes], said: list[str]) -> None:
    assert child.stderr is not None  # noqa: S101 - it is a pipe
    with contextlib.suppress(OSError, ValueError):
        for line in child.stderr:
            text = line.decode("utf-8", errors="replace").rstrip()
            if text.startswith("sm-ssh: ") and os.environ.get("SM_SSH_DEBUG"):
                print(text, file=sys.stderr, flush=True)
            said.append(text)


def _failure(jump: Jump, said: list[str], *, greeted: bool) -> SmSshError:
    """Return what ssh's words mean for a way over two nodes."""
    text = "\n".join(said)
    if greeted:
        return SessionFailed(f"the way to {jump.host} through {jump.node_id} broke", hint="connect again")
    if any(words in text for words in _UNKNOWN_NAME):
        return NotFound(
            f"{jump.node_id} does not know a host {jump.host}",
            hint="the job may have fewer nodes, or that one may not have started yet",
        )
    reason = next((words for words in _UNREACHABLE if words in text), "")
    if reason:
        return SessionFailed(
            f"{jump.host}, port {jump.port}, cannot be reached from {jump.node_id}: {reason}",
            hint="sshd may not run there: the job's log of that node says more; or its security group forbids the port",
        )
    if _FORBIDDEN in text:
        return SessionFailed(
            f"the sshd of {jump.node_id} does not lead on to {jump.host}",
            hint="its configuration forbids forwarding (AllowTcpForwarding)",
        )
    return ssh_client.failure([line for line in said if line])
