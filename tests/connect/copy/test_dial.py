"""Why an ``ssh`` ended: its proxy's reason with its code, else its own words."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry import command
from sm_ssh_entry.connect import outcome
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.copy.dial import Child, Route
from sm_ssh_entry.connect.names import parse
from sm_ssh_entry.connect.ssh_client import Notes
from sm_ssh_entry.errors import BadInput, KeyRefused, NotRegistered, SessionFailed, SmSshError
from tests.connect.copy.server import run
from tests.connect.world import Fleet, Laptop


@pytest.mark.parametrize(
    ("left", "said", "error", "message"),
    [
        (NotRegistered("not yet", hint="wait"), "sm-ssh: not yet\n  hint: wait\nclosed\n", NotRegistered, "not yet"),
        (BadInput("no"), "", BadInput, "no"),
        (None, "root@job: Permission denied (publickey).\n", KeyRefused, "none of our keys"),
        (None, "Host key verification failed.\r\n", SessionFailed, "not the node that registered"),
        (None, "", SessionFailed, "connection was lost"),
    ],
)
def test_failures(home: Path, left: SmSshError | None, said: str, error: type[SmSshError], message: str) -> None:
    folder = home / "notes"
    folder.mkdir()

    async def work() -> SmSshError:
        process = await asyncio.create_subprocess_exec("sh", "-c", "exit 255", stdin=subprocess.PIPE)
        (folder / "stderr").write_text(said)
        if left:
            outcome.leave(left, host="job", path=str(folder / "outcome.json"), ssh=0)
        child = Child(process, Notes(folder))
        found = await child.failure()
        await child.end()
        return found

    found = run(work())
    assert type(found) is error
    assert message in found.message
    assert left is None or found.hint == left.hint
    assert not folder.exists()


def test_nobody_there(laptop: Laptop, fleet: Fleet) -> None:
    """The real ``ssh`` and the real proxy, and a node whose agent is gone: the proxy's line, not ssh's."""
    laptop.make_key()
    fleet.add("gone", online=False)

    async def work() -> None:
        await Route(parse("gone.training.sagemaker"), Reach()).sftp()

    with pytest.raises(SmSshError) as raised:
        run(work())
    assert raised.value.exit_code == 12
    assert "gone" in raised.value.message


def test_our_sessions_share_nothing_with_the_users_own(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop.make_key()
    seen: list[list[str]] = []

    async def spawn(argv: list[str], **_: object) -> asyncio.subprocess.Process:
        seen.append(argv)
        return await asyncio.create_subprocess_exec("true", stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(command, "spawn_async", spawn)

    async def work() -> None:
        child = await Route(parse("job.training.sagemaker"), Reach()).shell("true")
        await child.end()

    run(work())
    (argv,) = seen
    before_ours = argv[: argv.index("--")]
    for setting in ("ControlMaster=no", "ControlPath=none", "ClearAllForwardings=yes", "ForwardAgent=no"):
        assert before_ours[before_ours.index(setting) - 1] == "-o"


@pytest.mark.parametrize("moment", [0.0, 0.005, 0.02])
@pytest.mark.parametrize("times", [1, 2, 5])
def test_who_is_cancelled_leaves_no_child_behind(home: Path, moment: float, times: int) -> None:
    """Whatever the child does with its end of input, and however full its pipe is."""
    folder = home / "notes"
    folder.mkdir()

    async def work() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", "yes & exec sleep 600", stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        try:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"y\n"
            ending = asyncio.create_task(Child(process, Notes(folder)).end())
            for _ in range(times):
                await asyncio.sleep(moment)
                ending.cancel()
            (found,) = await asyncio.gather(ending, return_exceptions=True)
            assert isinstance(found, asyncio.CancelledError)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
        return process

    assert run(work()).returncode in (-signal.SIGTERM, -signal.SIGKILL)
    assert not folder.exists()
    gc.collect()  # what is left open makes itself heard here


def test_a_full_pipe_does_not_hold_up_the_end(home: Path) -> None:
    folder = home / "notes"
    folder.mkdir()

    async def work() -> int | None:
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", "head -c 4000000 /dev/zero; cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 16
        )
        await Child(process, Notes(folder)).end()
        return process.returncode

    assert run(work()) == 0
    gc.collect()
