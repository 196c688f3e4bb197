from __future__ import annotations

import random
import string

import pytest

from sm_ssh_entry.boot import settings
from sm_ssh_entry.boot.settings import OnError, Settings


def test_nothing_set_is_the_defaults() -> None:
    found = settings.read({})
    assert found == Settings()
    assert (found.instance_count, found.stays, found.fails) == (2, False, False)
    assert settings.read(dict.fromkeys(VALUES, "  ")) == Settings()


VALUES = {
    "SSH_SSM_ROLE": "service-role/R",
    "SSH_OWNER_TAG": "AROA:me",
    "SSH_WAIT_TIME_SECONDS": "600",
    "SSH_INSTANCE_COUNT": "16",
    "SSH_AUTHORIZED_KEYS": "ssh-ed25519 A, ssh-ed25519 B,,",
    "SSH_SESSION_ID": "sid",
    "SSH_ON_ERROR": "Fail",
    "SSH_HOLD_ON_FAILURE_SECONDS": "1.5",
    "SSH_IDLE_TIMEOUT_SECONDS": "3600",
    "SSH_DEREGISTER_ON_EXIT": "true",
    "SSH_PORT": "2200",
}


def test_everything_set() -> None:
    found = settings.read({**VALUES, "SM_SSH_ROOT": "/r", "SM_SSH_AGENT": "agent --x"})
    assert found == Settings(
        role="service-role/R",
        owner="AROA:me",
        wait=600.0,
        instance_count=16,
        authorized_keys=("ssh-ed25519 A", "ssh-ed25519 B"),
        session_id="sid",
        on_error=OnError.FAIL,
        hold_on_failure=1.5,
        idle_timeout=3600.0,
        deregister_on_exit=True,
        port=2200,
        root="/r",
        agent="agent --x",
    )
    assert (found.stays, found.fails) == (True, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("SSH_WAIT_TIME_SECONDS", value) for value in ("abc", "-1", "nan", "inf", "1e99", "10s", "0x10")),
        *(("SSH_INSTANCE_COUNT", value) for value in ("two", "1.5", "-3")),
        *(("SSH_PORT", value) for value in ("ssh", "65536", "-22")),
        ("SSH_ON_ERROR", "explode"),
        ("SSH_DEREGISTER_ON_EXIT", "perhaps"),
    ],
)
def test_wrong_value_is_one_problem_and_the_default(name: str, value: str) -> None:
    found = settings.read({name: value})
    (problem,) = found.problems
    assert name in problem.message
    assert value not in problem.message.replace(name, "")
    assert found._replace(problems=()) == Settings()


def test_any_text_is_survived() -> None:
    dice = random.Random(3)
    for _ in range(300):
        env = {name: "".join(dice.choices(string.printable + "é\udcff", k=dice.randrange(9))) for name in VALUES}
        assert len(settings.read(env).problems) <= len(VALUES)
