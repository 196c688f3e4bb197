"""A public key by way of a bucket: put there by us, fetched by the node with its own AWS CLI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry import aws
from sm_ssh_entry.connect import bucket_key, keys, push, remote_command
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.connect.remote_command import Output
from sm_ssh_entry.errors import BadInput, KeyRefused, ServiceError
from tests.connect.world import Laptop

# As much of the AWS CLI as the node's script uses: aws s3 cp s3://BUCKET/KEY -
_AWS_CLI = """\
#!{python}
import sys
from sm_ssh_entry import aws
assert sys.argv[1:3] == ["s3", "cp"] and sys.argv[4] == "-"
bucket, _, key = sys.argv[3].removeprefix("s3://").partition("/")
sys.stdout.write(aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode())
"""


@pytest.fixture
def s3(laptop: Laptop) -> Any:
    client = aws.client("s3")
    client.create_bucket(Bucket="keys-bucket")
    return client


@pytest.fixture
def node(laptop: Laptop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node whose Run Command is a shell here; its home."""
    home, programs = tmp_path / "node", tmp_path / "bin"
    home.mkdir()
    programs.mkdir()
    (programs / "aws").write_text(_AWS_CLI.format(python=sys.executable))
    (programs / "aws").chmod(0o755)
    env = {**os.environ, "HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}", "SM_SSH_ROOT": str(tmp_path)}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)

    def run(_ssm: Any, node_id: str, script: str, **_: Any) -> Output:
        done = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=False)
        return Output(node_id, "Failed" if done.returncode else "Success", done.returncode, done.stdout, done.stderr)

    monkeypatch.setattr(remote_command, "run_script", run)
    return home


@pytest.mark.parametrize(
    ("folder", "path"),
    [
        ("s3://keys-bucket/ssh-public-keys-jane-doe/", "ssh-public-keys-jane-doe/id_ed25519.pub"),
        ("s3://keys-bucket/a/b", "a/b/id_ed25519.pub"),
        ("s3://keys-bucket/", "id_ed25519.pub"),
        ("s3://keys-bucket", "id_ed25519.pub"),
    ],
)
def test_the_node_fetches_the_key(  # noqa: PLR0917 - four fixtures and two parameters
    s3: Any, laptop: Laptop, node: Path, monkeypatch: pytest.MonkeyPatch, folder: str, path: str
) -> None:
    laptop.make_key()
    key = keys.candidates()[0]
    monkeypatch.setenv("SSH_AUTHORIZED_KEYS_PATH", folder)
    assert push.authorize(None, Node("mi-1", tags={}), [key], s3=lambda: s3) == key
    stored = s3.get_object(Bucket="keys-bucket", Key=path)["Body"].read().decode()
    assert stored == f"{key.text}\n"
    assert (node / ".ssh" / "authorized_keys").read_text() == f"{key.text}\n"


@pytest.mark.parametrize("folder", ["keys", "https://bucket/keys", "s3://", "s3://b/$(id)/", "s3://bucket/a'b/"])
def test_what_is_no_folder_is_refused(s3: Any, laptop: Laptop, folder: str) -> None:
    laptop.make_key()
    with pytest.raises(BadInput, match="SSH_AUTHORIZED_KEYS_PATH"):
        bucket_key.put(s3, folder, keys.candidates()[0])


def test_failures_are_told(s3: Any, laptop: Laptop, node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop.make_key()
    monkeypatch.setenv("SSH_AUTHORIZED_KEYS_PATH", "s3://no-such-bucket/")
    with pytest.raises(ServiceError, match="NoSuchBucket"):
        push.authorize(None, Node("mi-1", tags={}), keys.candidates(), s3=lambda: s3)
    monkeypatch.setenv("SSH_AUTHORIZED_KEYS_PATH", "s3://keys-bucket/")
    monkeypatch.setattr(bucket_key, "fetching", lambda _: '"$(aws s3 cp s3://keys-bucket/nothing -)"')
    with pytest.raises(KeyRefused):
        push.authorize(None, Node("mi-1", tags={}), keys.candidates(), s3=lambda: s3)
    assert not (node / ".ssh").exists()
