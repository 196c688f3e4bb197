"""Whose nodes they are: STS is asked for the submitter, and only where nobody has said it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry import aws
from sm_ssh_entry.errors import CredentialsMissing
from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.sdk import enable_ssh

REQUEST: dict[str, Any] = {"TransformJobName": "a", "TransformInput": {}}


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without credentials, and without a place where it would look for some."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "SSH_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    aws.forget()
    yield
    aws.forget()


def test_the_owner_is_who_submits(nobody: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with PlaneThread() as plane:
        for name, value in plane.environment().items():
            monkeypatch.setenv(name, value)
        aws.forget()
        who = aws.client("sts").get_caller_identity()["UserId"]
        assert enable_ssh(REQUEST)["Environment"]["SSH_OWNER_TAG"] == who


def test_without_credentials_it_is_said_before_anything_is_changed(nobody: None) -> None:
    with pytest.raises(CredentialsMissing, match="sts:GetCallerIdentity") as raised:
        enable_ssh(REQUEST)
    assert raised.value.hint
    assert "SSH_OWNER_TAG" not in enable_ssh(REQUEST, owner="")["Environment"]
    assert enable_ssh(REQUEST, owner="AROA:me")["Environment"]["SSH_OWNER_TAG"] == "AROA:me"
