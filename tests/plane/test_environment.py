"""The variables of a client."""

from __future__ import annotations

from sm_ssh_entry.plane.environment import client_environment

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}


def test_over_http() -> None:
    assert client_environment(url="http://127.0.0.1:1", region="eu-west-1", keys=KEYS) == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SM_SSH_PAYLOAD_BYTES": "32768",
    }


def test_over_tls_each_kind_of_program_is_told_whom_to_trust() -> None:
    found = client_environment(url="https://127.0.0.1:1", region="r", keys=KEYS, bundle="/b.pem")
    assert found["AWS_CA_BUNDLE"] == found["SSL_CERT_FILE"] == "/b.pem"
