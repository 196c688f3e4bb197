"""Servers of the node that a browser or a viewer of the laptop opens: found, or started if that was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from sm_ssh_entry.connect.launch.node import Remote, quoted
from sm_ssh_entry.errors import NotFound, TimedOut

_START_SECONDS = 60
# Jupyter's own list of its running servers: one JSON object a line. The second is that of Notebook before version 7.
_LIST = """\
list() { jupyter server list --json 2>/dev/null || jupyter notebook list --json 2>/dev/null; }
"""
_START = """\
cd {folder} || exit 1
umask 077
log="${{TMPDIR:-/tmp}}/sm-ssh-{name}-$$.log"
nohup {line} >"$log" 2>&1 </dev/null &
started=$!
"""
_AWAIT_LIST = f"""\
count=0
until [ -n "$(list)" ]; do
    kill -0 "$started" 2>/dev/null || {{ tail -n 3 "$log" >&2; exit 1; }}
    count=$((count + 1))
    [ "$count" -lt {_START_SECONDS * 2} ] || {{ echo "it did not start: $log" >&2; exit 1; }}
    sleep 0.5
done
"""
_MISSING = 'command -v {program} >/dev/null || {{ echo "{program} is not installed there" >&2; exit 1; }}\n'


@dataclass(frozen=True)
class Server:
    """A server on the node.

    Attributes:
        port: its port there.
        path: what stands behind the host in the link, with its token.
        scheme: ``http``, ``https`` or ``vnc``.
    """

    port: int
    path: str = "/"
    scheme: str = "http"

    def link(self, port: int) -> str:
        """Return the link for a local port. It holds the server's token."""
        return f"{self.scheme}://127.0.0.1:{port}{self.path if self.scheme != 'vnc' else ''}"


def jupyter(remote: Remote, *, port: int, folder: str, start: bool) -> Server:
    """Find Jupyter on a node by its own list.

    Args:
        remote: the node.
        port: which of several; 0: any.
        folder: where one is started.
        start: start one if there is none.

    Raises:
        NotFound: none runs.
        SmSshError: the node was not reached, or it did not start.
    """
    servers = jupyter_servers(remote.script(_LIST + "list || true\n"))
    chosen = next((one for one in servers if port in (0, one.port)), None)
    if chosen:
        return chosen
    if not start:
        raise NotFound(
            f"no Jupyter runs on {remote.target.host}{f' on port {port}' if port else ''}",
            hint="--start starts one",
        )
    line = f"jupyter lab --no-browser --ip=127.0.0.1 --port={port or 8888} --allow-root"
    script = _MISSING.format(program="jupyter") + _LIST + _start("jupyter", line, folder) + _AWAIT_LIST + "list\n"
    servers = jupyter_servers(remote.script(script, timeout=_START_SECONDS + 60))
    if not servers:
        raise TimedOut(f"Jupyter on {remote.target.host} started, but is not in its own list")
    return servers[0]


def jupyter_servers(said: str) -> list[Server]:
    """Read Jupyter's list of its servers.

    Args:
        said: what ``jupyter server list --json`` printed.
    """
    found = []
    for line in said.splitlines():
        try:
            one = json.loads(line)
            base = "/" + str(one.get("base_url", "/")).strip("/")
            token = str(one.get("token", ""))
            path = f"{base.rstrip('/')}/lab" if "root_dir" in one else f"{base.rstrip('/')}/tree"
            path += f"?token={quote(token, safe='')}" if token else ""
            found.append(Server(int(one["port"]), path, "https" if one.get("secure") else "http"))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def tensorboard(remote: Remote, *, port: int, folder: str, start: bool) -> Server:
    """Say where TensorBoard is, after starting one if that was asked for.

    Args:
        remote: the node.
        port: its port; 0: TensorBoard's own, 6006.
        folder: its logs.
        start: start one.

    Raises:
        SmSshError: the node was not reached, or it is not installed there.
    """
    port = port or 6006
    if start:
        line = f"tensorboard --logdir . --host 127.0.0.1 --port {port}"
        remote.script(_MISSING.format(program="tensorboard") + _start("tensorboard", line, folder))
    return Server(port)


def vnc(remote: Remote, *, port: int, folder: str, start: bool) -> Server:
    """Say where a VNC server is: on display 1, unless a port was given. None is started.

    Args:
        remote: the node.
        port: its port; 0: 5901.
        folder: not used.
        start: not used.
    """
    del remote, folder, start
    return Server(port or 5901, scheme="vnc")


FINDERS: dict[str, Callable[..., Server]] = {"jupyter": jupyter, "tensorboard": tensorboard, "vnc": vnc}


def _start(name: str, line: str, folder: str) -> str:
    return _START.format(name=name, line=line, folder=quoted(folder or "~"))
