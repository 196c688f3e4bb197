"""A child's failure is ours: class, message and hint; its progress is shown, and it never outlives us."""

from __future__ import annotations

import pytest

from sm_ssh_entry import errors
from sm_ssh_entry.sdk.wrappers import tool
from sm_ssh_entry.sdk.wrappers.account import Account


@pytest.mark.parametrize(
    ("status", "said", "wanted"),
    [
        (10, ["sm-ssh: no such job", "  hint: look again"], errors.NotFound("no such job", hint="look again")),
        (12, ["sm-ssh: a remark", "  hint: of no use", "sm-ssh: it is gone"], errors.ConnectionLost("it is gone")),
        (27, ["sm-ssh: AWS says no"], errors.ServiceError("AWS says no")),
        (2, ["Usage: sm-ssh wait", "", "Error: No such option: --x"], errors.BadInput("Error: No such option: --x")),
        (99, [], errors.SmSshError("sm-ssh ended with 99")),
    ],
)
def test_a_status_and_lines_are_an_error_of_ours(status: int, said: list[str], wanted: errors.SmSshError) -> None:
    error = tool.failure(status, said)
    assert type(error) is type(wanted)
    assert (error.message, error.hint) == (wanted.message, wanted.hint)


@pytest.mark.usefixtures("laptop")
def test_an_interrupt_ends_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    children = []
    start = tool.start

    def interrupted(stream: object, each: object = None) -> str:
        raise KeyboardInterrupt

    def started(account: Account, *words: str) -> object:
        children.append(start(account, *words))
        return children[-1]

    monkeypatch.setattr(tool, "start", started)
    monkeypatch.setattr(tool, "_read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tool.call(Account(), "wait", "nobody.training.sagemaker", "--timeout", "600")
    assert children[0].poll() is not None
