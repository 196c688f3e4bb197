"""The words of the contract that others rely on, spelled out here a second time on purpose."""

from __future__ import annotations

import re
from pathlib import Path

from sm_ssh_entry import contract


def test_names_that_the_field_uses_already() -> None:
    assert contract.START_SSH == "START_SSH"
    assert contract.SSH_SSM_ROLE == "SSH_SSM_ROLE"
    assert contract.SSH_OWNER_TAG == "SSH_OWNER_TAG"
    assert contract.SSH_WAIT_TIME_SECONDS == "SSH_WAIT_TIME_SECONDS"
    assert contract.SSH_INSTANCE_COUNT == "SSH_INSTANCE_COUNT"
    assert contract.SSH_LOG_TO_STDOUT == "SSH_LOG_TO_STDOUT"
    assert contract.LINE_REGISTERED.format(node_id="mi-0123456789abcdef0") == (
        "Successfully registered the instance with AWS SSM using Managed instance-id: mi-0123456789abcdef0"
    )


def test_every_path_moves_with_the_root_prefix() -> None:
    plain, moved = contract.Paths(), contract.Paths("/somewhere/node")
    names = [name for name, value in vars(contract.Paths).items() if isinstance(value, property)]
    assert "run" in names
    for name in names:
        path = getattr(plain, name)
        assert path.is_absolute()
        assert getattr(moved, name) == Path(f"/somewhere/node{path}")


def test_tag_alphabet_is_what_aws_allows() -> None:
    allowed = re.compile(contract.TAG_VALUE_PATTERN)
    assert allowed.fullmatch("arn:aws:sagemaker:eu-west-1:123456789012:training-job/my-job")
    assert allowed.fullmatch("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ+/=")
    assert not allowed.fullmatch("a,b")
    assert not allowed.fullmatch("a\nb")
