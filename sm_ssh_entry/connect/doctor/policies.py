"""The least that each side needs, as policy statements.

The person who connects may reach the nodes that carry their own ``aws:userid`` as SSHOwner and no others. The job's
execution role may register nodes, with one role and no other. The nodes' role may hold a channel to Session Manager.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry import contract

Statement = Mapping[str, Any]
SSH_DOCUMENT = "AWS-StartSSHSession"
FORWARD_DOCUMENT = "AWS-StartPortForwardingSession"
SHELL_DOCUMENT = "SSM-SessionManagerRunShell"
SCRIPT_DOCUMENT = "AWS-RunShellScript"
MANAGED_CORE = "AmazonSSMManagedInstanceCore"
# What the agent of a node calls; AmazonSSMManagedInstanceCore has them all and more.
AGENT_ACTIONS = (
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
_OWN_NODES = {"StringEquals": {f"ssm:resourceTag/{contract.TAG_OWNER}": "${aws:userid}"}}
_OWN_SESSIONS = {"StringLike": {"ssm:resourceTag/aws:ssmmessages:session-id": "${aws:userid}"}}
_PASSED = {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}}


@dataclass(frozen=True)
class Scope:
    """Whose policies, and where they hold.

    Attributes:
        partition: ``aws``.
        region: region; ``*``: every.
        account: account id.
    """

    partition: str = "aws"
    region: str = "*"
    account: str = "ACCOUNT"

    def arn(self, resource: str, *, account: str | None = None) -> str:
        """Put the ARN of a resource of Systems Manager together."""
        return f"arn:{self.partition}:ssm:{self.region}:{self.account if account is None else account}:{resource}"


def _allow(action: str | Sequence[str], resource: str | Sequence[str], condition: Statement | None = None) -> Statement:
    given = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**given, "Condition": condition} if condition else given


def find_nodes() -> Statement:
    """Look nodes up. Neither action can be limited to some nodes."""
    return _allow(["ssm:DescribeInstanceInformation", "ssm:ListTagsForResource"], "*")


def start_session(scope: Scope) -> tuple[Statement, ...]:
    """Open sessions to one's own nodes, with the documents that sm-ssh uses."""
    named = (SSH_DOCUMENT, FORWARD_DOCUMENT)
    documents = [scope.arn(f"document/{name}", account="") for name in named]
    return (
        _allow("ssm:StartSession", scope.arn("managed-instance/mi-*"), _OWN_NODES),
        _allow("ssm:StartSession", [*documents, scope.arn(f"document/{SHELL_DOCUMENT}")]),
    )


def end_session(scope: Scope) -> Statement:
    """Resume and end one's own sessions."""
    return _allow(["ssm:ResumeSession", "ssm:TerminateSession"], scope.arn("session/*"), _OWN_SESSIONS)


def send_command(scope: Scope) -> tuple[Statement, ...]:
    """Run Command on one's own nodes: pushes keys, releases held jobs."""
    return (
        _allow("ssm:SendCommand", scope.arn("managed-instance/mi-*"), _OWN_NODES),
        _allow("ssm:SendCommand", scope.arn(f"document/{SCRIPT_DOCUMENT}", account="")),
        _allow("ssm:GetCommandInvocation", "*"),
    )


def caller(scope: Scope) -> tuple[Statement, ...]:
    """All that a person who connects needs; the second of them is for better messages and ``sm-ssh doctor``."""
    explain = [
        "sagemaker:DescribeTrainingJob",
        "sagemaker:DescribeProcessingJob",
        "sagemaker:DescribeTransformJob",
        "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:DescribeModel",
        "ssm:GetServiceSetting",
        "ssm:GetConnectionStatus",
    ]
    return (find_nodes(), _allow(explain, "*"), *start_session(scope), end_session(scope), *send_command(scope))


def create_activation() -> Statement:
    """Make activations. The action knows no resources."""
    return _allow("ssm:CreateActivation", "*")


def tag_activation(node_role: str) -> Statement:
    """Tag one's own activations; limited to the role, so that tags of living nodes cannot be changed.

    Args:
        node_role: ARN of the role that nodes register with.
    """
    return _allow("ssm:AddTagsToResource", node_role)


def pass_role(node_role: str) -> Statement:
    """Give nodes their role, and no other.

    Args:
        node_role: its ARN.
    """
    return _allow("iam:PassRole", node_role, _PASSED)


def execution(node_role: str) -> tuple[Statement, ...]:
    """All that the execution role of a job needs."""
    return (create_activation(), tag_activation(node_role), pass_role(node_role))


def node_trust() -> Statement:
    """Let Systems Manager assume the nodes' role."""
    return {"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole"}


def node() -> Statement:
    """All that the agent of a node needs, for who does not want AmazonSSMManagedInstanceCore."""
    return _allow(list(AGENT_ACTIONS), "*")


def document(statements: Sequence[Statement]) -> dict[str, Any]:
    """Make a policy of statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def line(*statements: Statement) -> str:
    """Write statements in one line, as a fix."""
    return ", ".join(json.dumps(one) for one in statements)


def every(scope: Scope, node_role: str) -> dict[str, dict[str, Any]]:
    """Return every policy by what it is for.

    Args:
        scope: where they hold.
        node_role: ARN of the role that nodes register with.
    """
    return {
        "who connects": document(caller(scope)),
        "execution role of the job": document(execution(node_role)),
        "role of the nodes: trust": document([node_trust()]),
        "role of the nodes: permissions": document([node()]),
    }
