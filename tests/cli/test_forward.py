"""The command line of ``sm-ssh forward`` up to the point where AWS is asked."""

from __future__ import annotations

import pytest

from sm_ssh_entry.cli import root

NAME = "my-job.training.sagemaker"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([NAME], "Missing argument"),
        (["my-job", "8888"], "did you mean my-job.training.sagemaker?"),
        ([NAME, "8888", "x:y:z"], "cannot forward 'x:y:z'"),
        ([NAME, "8888", "8888"], "127.0.0.1:8888 is wanted twice"),
        ([NAME, "8888", "--"], "there is no command after --"),
        ([NAME, "8888", "--sessions", "0"], "--sessions"),
        # What stands behind -- is the command's, an option of ours too.
        ([NAME, "no port", "--", "--sessions", "0"], "cannot forward 'no port'"),
    ],
)
def test_what_cannot_be_ends_before_aws_is_asked(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert root.run(["forward", *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
