from __future__ import annotations

import pytest

from sm_ssh_entry.connect.forwarding import spec
from sm_ssh_entry.connect.forwarding.spec import Spec
from sm_ssh_entry.errors import BadInput


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8888", Spec("127.0.0.1", 8888, "localhost", 8888)),
        ("9000:8888", Spec("127.0.0.1", 9000, "localhost", 8888)),
        ("0:8888", Spec("127.0.0.1", 0, "localhost", 8888)),
        ("db.internal:5432", Spec("127.0.0.1", 5432, "db.internal", 5432)),
        ("localhost:5432", Spec("127.0.0.1", 5432, "localhost", 5432)),
        ("LocalHost:5432", Spec("127.0.0.1", 5432, "localhost", 5432)),
        ("9000:db.internal:5432", Spec("127.0.0.1", 9000, "db.internal", 5432)),
        ("9000:10.0.0.7:5432", Spec("127.0.0.1", 9000, "10.0.0.7", 5432)),
        ("0.0.0.0:9000:8888", Spec("0.0.0.0", 9000, "localhost", 8888)),
        ("*:9000:8888", Spec("*", 9000, "localhost", 8888)),
        ("localhost:9000:8888", Spec("localhost", 9000, "localhost", 8888)),
        ("[::1]:9000:8888", Spec("::1", 9000, "localhost", 8888)),
        ("127.0.0.2:0:db:1", Spec("127.0.0.2", 0, "db", 1)),
        ("[::1]:9000:[fd00::5]:5432", Spec("::1", 9000, "fd00::5", 5432)),
        ("[fd00::5]:5432", Spec("127.0.0.1", 5432, "fd00::5", 5432)),
    ],
)
def test_every_form(text: str, expected: Spec) -> None:
    assert spec.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "0",
        "65536",
        "-1",
        "eight",
        "1:2:3",
        "8888:",
        ":8888",
        "::80",
        "9000::80",
        "a:b:c:80:90",
        "db:host:80",
        "9000:-oProxy:80",
        "9000:a b:80",
        "9000:$(id):80",
        "0.0.0.0:8888",
        "*:8888",
        "[::]:8888",
        "[::1",
        "[::1]x:80:80",
        "[127.0.0.1]:80:80:",
        "9000:[nonsense]:80",
        "999.1.1.1:80:80",
        "²:80",
        "9000:²",
        "1" * 400,
    ],
)
def test_what_cannot_be_is_one_line_with_a_hint(text: str) -> None:
    with pytest.raises(BadInput) as raised:
        spec.parse(text)
    assert raised.value.hint
    assert "\n" not in raised.value.message


def test_one_local_port_is_forwarded_once() -> None:
    with pytest.raises(BadInput, match="wanted twice"):
        spec.parse_all(["8888", "8888:9999"])
    assert len(spec.parse_all(["0:8888", "0:8888", "127.0.0.2:8888:8888", "8888"])) == 4


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("8888", False),
        ("localhost:1:2", False),
        ("127.9.9.9:1:2", False),
        ("[::1]:1:2", False),
        ("0.0.0.0:1:2", True),
        ("*:1:2", True),
        ("192.168.1.5:1:2", True),
        ("[::]:1:2", True),
    ],
)
def test_what_other_machines_can_reach(text: str, is_open: bool) -> None:
    assert spec.parse(text).is_open is is_open


def test_where_it_leads_for_people() -> None:
    assert spec.parse("1:2").there("a.training.sagemaker") == "a.training.sagemaker:2"
    assert spec.parse("1:[fd00::5]:2").there("a.training.sagemaker") == "[fd00::5]:2 by a.training.sagemaker"
