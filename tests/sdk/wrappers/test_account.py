"""Children talk to the account of the user's own session, whatever the environment says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from sm_ssh_entry import command
from sm_ssh_entry.sdk.wrappers.account import Account

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
FOUND = "import botocore.session as s; c = s.Session().get_credentials(); print(c.access_key, c.token)"


class SdkSession:
    """What both SDKs' sessions have in common."""

    def __init__(self, boto_session: Any, region: str) -> None:
        self.boto_session, self.boto_region_name = boto_session, region


@pytest.fixture
def files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two profiles, and other keys in the environment."""
    (home / ".aws").mkdir()
    (home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id=AKDEFAULT\naws_secret_access_key=s\n"
        "[work]\naws_access_key_id=AKWORK\naws_secret_access_key=s\n"
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")


def found_by_child(account: Account) -> str:
    return command.run([sys.executable, "-c", FOUND], env=account.environment()).stdout.strip()


@pytest.mark.usefixtures("files")
def test_a_child_finds_the_credentials_of_the_session() -> None:
    assert found_by_child(Account.of(None)) == "AKENVIRONMENT None"
    assert found_by_child(Account.of(boto3.Session())) == "AKENVIRONMENT None"
    assert found_by_child(Account.of(SdkSession(boto3.Session(profile_name="work"), "eu-west-1"))) == "AKWORK None"
    own = boto3.Session(aws_access_key_id="AKOWN", aws_secret_access_key="s", aws_session_token="token")
    assert found_by_child(Account.of(own)) == "AKOWN token"
    assert (
        found_by_child(Account.of(boto3.Session(aws_access_key_id="AKOWN", aws_secret_access_key="s"))) == "AKOWN None"
    )


@pytest.mark.usefixtures("files")
def test_a_profile_of_the_environment_does_not_hide_the_sessions_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    own = boto3.Session(aws_access_key_id="AKOWN", aws_secret_access_key="s")
    environment = Account.of(own).environment()
    assert environment["AWS_ACCESS_KEY_ID"] == "AKOWN"
    assert "AWS_PROFILE" not in environment


@pytest.mark.usefixtures("home")
def test_the_region_is_the_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    account = Account.of(SdkSession(boto3.Session(), "eu-west-1"))
    assert account.effective_region == "eu-west-1"
    assert account.environment()["AWS_REGION"] == account.environment()["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert account.client("sagemaker").meta.region_name == "eu-west-1"
    assert Account.of(boto3.Session(region_name="eu-north-1")).effective_region == "eu-north-1"
    assert Account.of(None).effective_region == "us-east-1"


def test_no_credentials_show_in_a_representation() -> None:
    own = boto3.Session(aws_access_key_id="AKOWN", aws_secret_access_key="hidden", region_name="eu-west-1")
    assert "AKOWN" not in repr(Account.of(own))
    assert "hidden" not in repr(Account.of(own))


@pytest.mark.usefixtures("laptop")
def test_a_child_gets_the_keys_of_a_role_that_the_session_has_assumed(home: Path) -> None:
    config = "[profile role]\nrole_arn=arn:aws:iam::123456789012:role/Job\ncredential_source=Environment\n"
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(config)
    account = Account.of(boto3.Session(profile_name="role", region_name="us-east-1"))
    key, token = found_by_child(account).split()
    assert key.startswith("ASIA")
    assert token != "None"
