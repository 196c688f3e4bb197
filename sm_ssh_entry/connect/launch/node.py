"""Scripts on a node over the system's ``ssh``: what they print, or in one line why not."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sm_ssh_entry import command
from sm_ssh_entry.connect import keys, sharing, ssh_client, ssh_command
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.errors import SmSshError

# Files whose servers watch them want a local disk; these are not. As `stat -f -c %T` and `df -T` call them.
_REMOTE_DISKS = ("nfs", "fuse", "lustre", "cifs", "smb", "9p")
_IDE_MEGABYTES = 2048
_IDE_DISK_MEGABYTES = 1024
_PROBE = """\
folder="${HOME:-/root}"
probe="$folder/.sm-ssh-probe-$$"
if (umask 077; : > "$probe") 2>/dev/null; then
    echo "writable yes"
    chown 4711:4711 "$probe" 2>/dev/null && echo "chown yes" || echo "chown no"
    rm -f "$probe"
else
    echo "writable no"
fi
echo "home $folder"
echo "disk $(stat -f -c %T "$folder" 2>/dev/null)"
echo "free $(df -Pk "$folder" 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }')"
echo "memory $(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null)"
limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null)
used=$(cat /sys/fs/cgroup/memory.current 2>/dev/null || cat /sys/fs/cgroup/memory/memory.usage_in_bytes 2>/dev/null)
case "$limit" in ''|max|*[!0-9]*) ;; *) echo "left $(( (limit - ${used:-0}) / 1048576 ))" ;; esac
"""


@dataclass(frozen=True)
class Remote:
    """A node and how to get there."""

    target: Target
    reach: Reach

    def script(self, text: str, *, timeout: float = 90.0) -> str:
        """Run a script of the POSIX shell and return what it printed.

        Args:
            text: goes through standard input: nobody sees it in a list of processes.
            timeout: seconds.

        Raises:
            SmSshError: the node was not reached, or the script failed.
        """
        with ssh_client.notes() as kept:
            ours = keys.candidates(self.reach.identity)

            def argv(shared: Sequence[str]) -> list[str]:
                return self.ssh(kept, ours, ("-T",), ("sh -s",), shared)

            shared = sharing.options(self.reach, argv, lambda _line: None, create=False)
            done = command.run(argv(shared if sharing.wanted() else sharing.OWN), stdin=text, timeout=timeout)
            if done.returncode == ssh_client.SSH_FAILED:
                raise reason(kept, done.stderr)
            if not done.ok:
                said = done.stderr.strip().splitlines()
                raise SmSshError(f"{self.target.host}: {said[-1] if said else f'exit status {done.returncode}'}")
            return done.stdout

    def ssh(
        self,
        kept: ssh_client.Notes,
        ours: Sequence[keys.Key],
        options: tuple[str, ...],
        words: tuple[str, ...],
        shared: Sequence[str] = sharing.OWN,
    ) -> list[str]:
        """Return a command line of ``ssh``.

        Args:
            kept: where its proxy leaves its reason.
            ours: keys.
            options: options of ``ssh``.
            words: remote command.
            shared: options of ``sharing``.
        """
        proxy = ssh_command.proxy_words(self.target, self.reach, outcome=kept.outcome)
        return ssh_command.ssh_argv(self.target, proxy, ours, ssh_command.Words(options, words), shared=shared)


def reason(kept: ssh_client.Notes, said: str) -> SmSshError:
    """Return why an ``ssh`` with its standard error in our hands failed.

    Args:
        kept: where its proxy left its reason.
        said: its standard error.
    """
    from sm_ssh_entry.connect import outcome

    left = outcome.taken(kept.outcome)
    return left[0] if left else ssh_client.failure([line for line in said.splitlines() if line.strip()])


def warnings(said: str) -> list[str]:
    """Return what is in the way of an IDE's server, a line for each.

    Args:
        said: what the probe printed.
    """
    facts = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
    home = facts.get("home", "the home folder")
    found = []
    if facts.get("writable") == "no":
        found.append(f"{home} cannot be written to: the IDE's server has no place there")
    disk = facts.get("disk", "")
    if disk.startswith(_REMOTE_DISKS):
        found.append(f"{home} is on a network disk ({disk}): unpacking the IDE's server may be slow or fail")
        if facts.get("chown") == "no":
            found.append(f"{home} takes no change of owner, which unpacking the IDE's server may need")
    with contextlib.suppress(KeyError, ValueError):
        if int(facts["free"]) < _IDE_DISK_MEGABYTES:
            found.append(f"{home} has {facts['free']} MB left: the IDE's server and extensions need about a gigabyte")
    memory = [int(facts[name]) for name in ("memory", "left") if facts.get(name, "").isdigit()]
    if memory and min(memory) < _IDE_MEGABYTES:
        found.append(f"{min(memory)} MB of memory are left: the IDE's server may be killed, or kill the job")
    return found


def probe(remote: Remote) -> list[str]:
    """Ask a node what is in the way of an IDE's server; return a line for each.

    Raises:
        SmSshError: the node was not reached.
    """
    return warnings(remote.script(_PROBE))


@contextlib.contextmanager
def log_file(kept: ssh_client.Notes) -> Iterator[Path]:
    """Give a file for the standard error of a child that runs for long."""
    path = kept.folder / "stderr"
    path.touch(mode=0o600)
    yield path


def quoted(path: str) -> str:
    """Quote a path for a script; ``~`` stays the node's home folder."""
    if path == "~" or path.startswith("~/"):
        return '"${HOME:-/root}"' + shlex.quote(path[1:]) if len(path) > 1 else '"${HOME:-/root}"'
    return shlex.quote(path)
