"""A local port that leads to a node's sshd, for as long as a script wants it."""

from __future__ import annotations

import atexit
import contextlib
import logging
import shlex
import socket
import sys
import threading
import time
from collections import deque
from typing import IO

from sm_ssh_entry import command, contract
from sm_ssh_entry.errors import BadInput, SmSshError, TimedOut
from sm_ssh_entry.sdk.wrappers import tool
from sm_ssh_entry.sdk.wrappers.account import Account
from sm_ssh_entry.sdk.wrappers.manager import SSMManager

_HOST = "127.0.0.1"
_OPEN_SECONDS = 120.0
# Lines of the tunnel's processes that are kept: with -v there is no end of them.
_KEPT = 1000
_SSHD_PORT = "22"
# What the older command says first: how it is called now.
_TRANSLATED = " is now: sm-ssh "
_PIPE = command.PIPE


class SSMProxy:
    """A tunnel by ``ssh -L``, under the key ``~/.ssh/sagemaker-ssh-gw`` that scripts give to ``ssh`` on its port.

    Args:
        ssh_listen_port: port of localhost.
        extra_args: more options of ``ssh``, such as ``-R localhost:12345:localhost:12345``.
        region_name: region; None: the environment's.
        cloudwatch_url: where the remote log is, for messages.

    Usage::

        with SSMProxy(11022) as proxy:
            proxy.connect_to_ssm_instance("mi-…")
            ...
    """

    logger = logging.getLogger("sagemaker-ssh-helper")

    def __init__(
        self,
        ssh_listen_port: int,
        extra_args: str = "",
        region_name: str | None = None,
        cloudwatch_url: str | None = None,
    ) -> None:
        self.ssh_listen_port = ssh_listen_port
        self.extra_args = extra_args
        self.region_name = region_name
        self.cloudwatch_url = cloudwatch_url
        self.account = Account(region=region_name or "")
        self.connected = False
        self.p: command.Popen[bytes] | None = None
        self._instance_id = ""
        self._said: deque[str] = deque(maxlen=_KEPT)
        self._listener: threading.Thread | None = None

    def connect_to_ssm_instance(self, instance_id: str) -> None:
        """Open the port, and return when the node's sshd answers on it.

        Args:
            instance_id: the node's id.

        Raises:
            BadInput: it is connected already, the id is none, or the port is taken.
            TimedOut: sshd did not answer.
            SmSshError: why the node could not be reached.
        """
        if self.connected:
            raise BadInput(f"already connected to {self._instance_id}", hint="disconnect() first")
        if not str(instance_id).startswith("mi-"):
            raise BadInput(f"{instance_id!r} is not a managed node's id", hint="ids look like mi-1234567890abcdef0")
        _require_free(self.ssh_listen_port)
        port = self._sshd_port(instance_id)
        _tell(f"connecting to {instance_id} for localhost:{self.ssh_listen_port} …")
        words = ["sm-local-start-ssh", instance_id, "-N", "-T", "-o", "ExitOnForwardFailure=yes"]
        forward = ["-L", f"localhost:{self.ssh_listen_port}:localhost:{port}"]
        self._said = deque(maxlen=_KEPT)
        self.p = tool.start_old(self.account, *words, *forward, *shlex.split(self.extra_args))
        self._listener = threading.Thread(target=_listen, args=(self.p.stderr, self._said), daemon=True)
        self._listener.start()
        self._instance_id = instance_id
        atexit.register(self.disconnect)
        try:
            self._await_sshd()
        except BaseException:
            self.disconnect()
            raise
        self.connected = True
        _tell(f"localhost:{self.ssh_listen_port} leads to {instance_id}")

    def terminate_waiting_loop(self) -> None:
        """Release the node where it is held before its start; nothing where nobody waits.

        Raises:
            SmSshError: it could not be told.
        """
        tool.call(self.account, "stop-waiting", self._node())

    def run_command(self, command: str) -> int:
        """Run a command on the node, its output on ours, and return its exit status.

        Args:
            command: line for the remote shell.
        """
        return self._run(command, None).wait()

    def run_command_with_output(self, command: str) -> bytes:
        """Run a command on the node and return its output, what it wrote to standard error included.

        Args:
            command: line for the remote shell.

        Raises:
            SmSshError: it ended with another status than 0, or the node could not be reached.
        """
        child = self._run(command, _PIPE)
        output, _ = child.communicate()
        if child.returncode == 0:
            return output
        lines = output.decode("utf-8", "replace").splitlines()
        where = f"; the remote log is at {self.cloudwatch_url}" if self.cloudwatch_url else ""
        if any(line.startswith("sm-ssh: ") for line in lines):
            raise tool.failure(child.returncode, lines)
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        raise SmSshError(f"{command!r} ended with {child.returncode} on {self._instance_id}: {last}{where}")

    def fetch_proxy_output(self) -> str:
        """Return what the tunnel's processes have said so far."""
        return "".join(f"{line}\n" for line in list(self._said))

    def disconnect(self) -> None:
        """Close the port and end its processes; nothing where there are none."""
        self.connected = False
        atexit.unregister(self.disconnect)
        if self.p is not None:
            child, self.p = self.p, None
            tool.end(child)

    def __enter__(self, *_: object) -> SSMProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def _node(self) -> str:
        if not self._instance_id:
            raise BadInput("this proxy is not connected", hint="call connect_to_ssm_instance() first")
        return self._instance_id

    def _run(self, line: str, output: int | None) -> command.Popen[bytes]:
        argv = [sys.executable, "-m", "sm_ssh_entry.cli.main", "run", self._node(), "--", line]
        merged = command.STDOUT if output is not None else None
        return command.spawn(argv, env=self.account.environment(), stdin=None, stdout=output, stderr=merged)

    def _sshd_port(self, instance_id: str) -> str:
        manager = SSMManager(self.region_name)
        manager.account = self.account
        return manager.tags(instance_id).get(contract.TAG_PORT, _SSHD_PORT)

    def _await_sshd(self) -> None:
        deadline, clock = time.monotonic() + _OPEN_SECONDS, threading.Event()
        while time.monotonic() < deadline:
            if self.p is None or self.p.poll() is not None:
                raise self._failure()
            if _greets(self.ssh_listen_port):
                return
            clock.wait(0.1)
        raise TimedOut(
            f"sshd of {self._instance_id} did not answer on port {self.ssh_listen_port} within {_OPEN_SECONDS:g} s",
            hint=f"sm-ssh doctor {self._instance_id}",
        )

    def _failure(self) -> SmSshError:
        if self._listener:
            self._listener.join(timeout=5)
        said = [line for line in list(self._said) if _TRANSLATED not in line]
        return tool.failure(self.p.returncode if self.p else 1, said)


def _require_free(port: int) -> None:
    """Refuse a port that somebody else listens on: the greeting would be theirs."""
    try:
        socket.create_server((_HOST, port)).close()
    except (OSError, OverflowError) as error:
        raise BadInput(
            f"localhost:{port} cannot be used: {getattr(error, 'strerror', None) or error}",
            hint="give another ssh_listen_port, or disconnect() what has it",
        ) from error


def _greets(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((_HOST, port), timeout=10) as connection:
        return connection.recv(4) == b"SSH-"
    return False


def _listen(stream: IO[bytes] | None, said: deque[str]) -> None:
    for line in tool.lines(stream):
        said.append(line.rstrip("\r\n"))


def _tell(line: str) -> None:
    print(f"sm-ssh: {line}", file=sys.stderr, flush=True)
