"""The light command line of ``start-proxy``."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sm_ssh_entry.cli import proxy
from sm_ssh_entry.errors import BadInput


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["h"], ({}, "h", 0)),
        (["h", "22"], ({}, "h", 22)),
        (["--region", "eu-west-1", "h"], ({"region": "eu-west-1"}, "h", 0)),
        (["h", "--profile=p", "--identity", "k", "2222"], ({"profile": "p", "identity": "k"}, "h", 2222)),
    ],
)
def test_parsed(words: list[str], expected: tuple[dict[str, str], str, int]) -> None:
    assert proxy.parse(words) == expected


@pytest.mark.parametrize(
    "words", [[], ["a", "1", "b"], ["h", "x"], ["h", "70000"], ["--region"], ["--nope", "h"], ["-v", "h"]]
)
def test_refused(words: list[str]) -> None:
    with pytest.raises(BadInput) as refused:
        proxy.parse(words)
    assert refused.value.hint == proxy.USAGE


@pytest.mark.parametrize("module", ["sm_ssh_entry.cli.proxy", "sm_ssh_entry.cli.main"])
@pytest.mark.usefixtures("home")
def test_one_line_a_hint_and_a_status(module: str) -> None:
    words = ["start-proxy"] if module.endswith("main") else []
    argv = [sys.executable, "-m", module, *words, "my-job"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=180)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "sm-ssh: 'my-job' is not a name that sm-ssh knows",
        "  hint: did you mean my-job.training.sagemaker?",
    ]


@pytest.mark.usefixtures("home")
def test_a_login_waits_for_no_command_line_library() -> None:
    script = (
        "import sys; from sm_ssh_entry.cli import main; main.main(['start-proxy', 'x']);"
        "from sm_ssh_entry.connect import connect, session;"
        "from sm_ssh_entry import aws; aws.client('ssm', region='eu-west-1');"
        "print(*sys.modules)"
    )
    loaded = set(subprocess.check_output([sys.executable, "-c", script], text=True, timeout=180).split())
    assert "sm_ssh_entry.connect.session" in loaded
    assert "botocore.client" in loaded
    assert not {"click", "rich", "boto3", "s3transfer", "aiohttp", "moto"} & loaded
