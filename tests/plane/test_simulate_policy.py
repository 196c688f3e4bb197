"""iam:SimulatePrincipalPolicy on the plane: keys with limits, and roles and users with policies in moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane import simulate_policy
from sm_ssh_entry.plane.server import PlaneThread

ROLE_ARN = "arn:aws:iam::123456789012:role/Ssm"


@pytest.fixture(scope="module")
def plane() -> Iterator[PlaneThread]:
    with PlaneThread() as thread:
        yield thread


@pytest.fixture(scope="module")
def iam(plane: PlaneThread) -> Any:
    env = plane.environment()
    return boto3.client(
        "iam",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )


def decision(iam: Any, arn: str, action: str, resource: str = "*", **context: str) -> str:
    entries = [
        {"ContextKeyName": key.replace("__", ":"), "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in context.items()
    ]
    answer = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
    )
    (result,) = answer["EvaluationResults"]
    assert (result["EvalActionName"], result["EvalResourceName"]) == (action, resource)
    return str(result["EvalDecision"])


def test_a_role_with_inline_policies(iam: Any) -> None:
    arn = iam.create_role(RoleName="Execution", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    statements = [
        {"Effect": "Allow", "Action": ["ssm:Create*", "ssm:AddTagsToResource"], "Resource": "*"},
        {"Effect": "Deny", "Action": "ssm:CreateDocument", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": ROLE_ARN,
            "Condition": {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}},
        },
    ]
    iam.put_role_policy(
        RoleName="Execution",
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )
    assert decision(iam, arn, "ssm:CreateActivation") == "allowed"
    assert decision(iam, arn, "SSM:createactivation") == "allowed"
    assert decision(iam, arn, "ssm:CreateDocument") == "explicitDeny"
    assert decision(iam, arn, "ssm:StartSession") == "implicitDeny"
    assert decision(iam, arn, "iam:PassRole", ROLE_ARN) == "implicitDeny"
    assert decision(iam, arn, "iam:PassRole", ROLE_ARN, iam__PassedToService="ssm.amazonaws.com") == "allowed"
    assert decision(iam, arn, "iam:PassRole", ROLE_ARN, iam__PassedToService="ec2.amazonaws.com") == "implicitDeny"
    assert decision(iam, arn, "iam:PassRole", ROLE_ARN + "2", iam__PassedToService="ssm.amazonaws.com") == (
        "implicitDeny"
    )


def test_a_user_with_a_managed_policy_of_a_group(iam: Any) -> None:
    statement = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "arn:aws:ssm:*:*:*/mi-?*"}
    document = {"Version": "2012-10-17", "Statement": statement}
    policy = iam.create_policy(PolicyName="own", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    iam.create_group(GroupName="people")
    iam.attach_group_policy(GroupName="people", PolicyArn=policy)
    arn = iam.create_user(UserName="jane")["User"]["Arn"]
    node = "arn:aws:ssm:eu-west-1:123456789012:managed-instance/mi-1"
    assert decision(iam, arn, "ssm:StartSession", node) == "implicitDeny"
    iam.add_user_to_group(GroupName="people", UserName="jane")
    assert decision(iam, arn, "ssm:StartSession", node) == "allowed"
    assert decision(iam, arn, "iam:GetRole", node) == "implicitDeny"


def test_the_planes_own_keys_have_their_limits(plane: PlaneThread, iam: Any) -> None:
    arn = "arn:aws:iam::123456789012:user/limited"
    plane.call(lambda running: running.credentials.issue(user_arn=arn, deny=["ssm:StartSession"]))
    assert decision(iam, arn, "ssm:StartSession") == "implicitDeny"
    assert decision(iam, arn, "ssm:SendCommand") == "allowed"


def test_nobody_of_that_name(iam: Any) -> None:
    with pytest.raises(ClientError, match="NoSuchEntity"):
        decision(iam, "arn:aws:iam::123456789012:role/nobody", "ssm:StartSession")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"ssm:resourceTag/SSHOwner": "${aws:userid}"}}, "allowed"),
        ({"StringLike": {"ssm:resourceTag/SSHOwner": ["other", "AROA*"]}}, "allowed"),
        ({"StringNotEquals": {"ssm:resourceTag/SSHOwner": "AROA:me"}}, "implicitDeny"),
        ({"StringEqualsIfExists": {"aws:missing": "x"}}, "allowed"),
        ({"StringEquals": {"aws:missing": "x"}}, "implicitDeny"),
        ({"Null": {"aws:userid": "false"}}, "allowed"),
        ({"Null": {"aws:userid": "true"}}, "implicitDeny"),
        ({"NumericLessThan": {"aws:userid": "3"}}, "implicitDeny"),
    ],
)
def test_conditions(condition: dict[str, Any], expected: str) -> None:
    statement = {"Effect": "Allow", "Action": "ssm:StartSession", "Resource": "*", "Condition": condition}
    context = {"aws:userid": ["AROA:me"], "ssm:resourcetag/sshowner": ["AROA:me"]}
    assert simulate_policy.decide([statement], "ssm:StartSession", "arn", context) == expected
