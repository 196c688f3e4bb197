"""Roles, as IAM describes them."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry.connect.doctor import roles


@pytest.mark.parametrize(
    ("principal", "action", "effect", "expected"),
    [
        ({"Service": "ssm.amazonaws.com"}, "sts:AssumeRole", "Allow", True),
        ({"Service": ["sagemaker.amazonaws.com", "ssm.amazonaws.com"]}, ["sts:AssumeRole"], "Allow", True),
        ({"Service": "ssm.amazonaws.com.cn"}, "sts:*", "Allow", True),
        ({"Service": "sagemaker.amazonaws.com"}, "sts:AssumeRole", "Allow", False),
        ({"Service": "ssm.amazonaws.com"}, "sts:TagSession", "Allow", False),
        ({"Service": "ssm.amazonaws.com"}, "sts:AssumeRole", "Deny", False),
        ({"AWS": "arn:aws:iam::123456789012:root"}, "sts:AssumeRole", "Allow", False),
        ("*", "sts:AssumeRole", "Allow", False),
    ],
)
def test_whom_a_role_trusts(principal: Any, action: Any, effect: str, expected: bool) -> None:
    statement = {"Effect": effect, "Principal": principal, "Action": action}
    assert roles._trusts({"Statement": statement}) is expected
    assert roles._trusts({"Statement": [{"Effect": "Deny"}, statement]}) is expected


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("arn:aws:iam::123456789012:role/service-role/X", "X"),
        ("arn:aws:iam::123456789012:role/X", "X"),
        ("service-role/X", "X"),
        ("X", "X"),
        ("", ""),
    ],
)
def test_names_of_roles(role: str, expected: str) -> None:
    assert roles.name_of(role) == expected
