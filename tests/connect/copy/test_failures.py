"""What goes wrong says which side, and has its code."""

from __future__ import annotations

import errno

import pytest

from sm_ssh_entry.connect.copy import failures, packets
from sm_ssh_entry.connect.copy.fields import u64
from sm_ssh_entry.connect.copy.packets import Packet
from sm_ssh_entry.connect.copy.remote import Refused
from sm_ssh_entry.errors import AccessDenied, NoSpace, NotFound, SmSshError
from tests.connect.copy.server import Scripted, run


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, NoSpace),
        (errno.EDQUOT, NoSpace),
        (errno.EACCES, AccessDenied),
        (errno.EROFS, AccessDenied),
        (errno.ENOENT, NotFound),
        (errno.EIO, SmSshError),
    ],
)
def test_here(number: int, error: type[SmSshError]) -> None:
    said = failures.here(OSError(number, "why"), "/a\x1b")
    assert type(said) is error
    assert "this machine" in said.message
    assert "/a\\x1b" in said.message


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (packets.NO_SUCH_FILE, NotFound),
        (packets.PERMISSION_DENIED, AccessDenied),
        (packets.FAILURE, SmSshError),
        (packets.END_OF_FILE, SmSshError),
    ],
)
def test_there(code: int, error: type[SmSshError]) -> None:
    said = failures.there(Refused(code, "why", "/a\n"), "node")
    assert type(said) is error
    assert "/a\\n" in said.message


@pytest.mark.parametrize(("free", "error"), [(0, NoSpace), (1 << 30, SmSshError)])
def test_a_node_that_only_says_failure_is_asked_for_its_disk(free: int, error: type[SmSshError]) -> None:
    def answer(_: Packet) -> Packet:
        return packets.ExtendedReply(b"".join(map(u64, (1, 1, 9, 9, free, 0, 0, 0, 0, 0, 0))))

    async def work() -> SmSshError:
        async with Scripted(answer, packets.STATVFS).session() as remote:
            refusal = Refused(packets.FAILURE, "Failure", "/a")
            return await failures.of_write(refusal, remote, "/", "node")

    said = run(work())
    assert type(said) is error
    assert "node" in said.message
