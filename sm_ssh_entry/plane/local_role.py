"""The execution role of what runs on the plane: in moto's IAM, so that whoever looks at it finds it with its rights."""

from __future__ import annotations

import json
from typing import Any

from sm_ssh_entry.plane.moto_tables import backends

PATH, NAME = "/service-role/", "sm-ssh-local"
_SERVICES = ["sagemaker.amazonaws.com", "ssm.amazonaws.com"]
# SageMaker's SDK v3 asks for some hundred actions before it submits anything; nothing here can be harmed with them.
_ACTIONS = ["*"]


def arn(account: str) -> str:
    """Return its ARN; the role is made where it is missing.

    Args:
        account: account id.
    """
    backend = backends("iam")[account]["aws"]
    if not any(role.name == NAME for role in list(backend.roles.values())):
        trust = {"Effect": "Allow", "Principal": {"Service": _SERVICES}, "Action": "sts:AssumeRole"}
        rights = {"Effect": "Allow", "Action": _ACTIONS, "Resource": "*"}
        backend.create_role(NAME, _document(trust), PATH, None, "", [], "3600")
        backend.put_role_policy(NAME, "sm-ssh", _document(rights))
    return f"arn:aws:iam::{account}:role{PATH}{NAME}"


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
