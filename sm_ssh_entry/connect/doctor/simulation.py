"""What an identity may do, by iam:SimulatePrincipalPolicy; who may not ask that is told so, once for each question."""

from __future__ import annotations

from collections.abc import Mapping

from sm_ssh_entry import aws
from sm_ssh_entry.connect.doctor.case import Case, Identity
from sm_ssh_entry.errors import AccessDenied, ServiceError, SmSshError

ALLOWED = "allowed"


def allowed(case: Case, source: str, action: str, resource: str, context: Mapping[str, str]) -> bool | None:
    """Say whether policies allow an action; None where nobody tells us.

    Args:
        case: account.
        source: ARN of the user or role.
        action: ``ssm:StartSession``.
        resource: its ARN, or ``*``.
        context: condition keys and their values in this question.
    """
    if not source:
        return None
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in context.items()
    ]
    try:
        with aws.errors_of(action="iam:SimulatePrincipalPolicy"):
            answer = case.client("iam").simulate_principal_policy(
                PolicySourceArn=source, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
            )
    except (AccessDenied, ServiceError):  # may not ask; or, of a role of another account, cannot
        return None
    return all(one["EvalDecision"] == ALLOWED for one in answer["EvaluationResults"])


def source_of(case: Case) -> str:
    """Return the ARN whose policies the caller has; ``""`` where there is none: the root user, a federated one.

    STS tells a role's session without the path of the role, which its ARN has.
    """
    who: Identity = case.known_identity()
    kind, _, rest = who.arn.rpartition(":")[2].partition("/")
    prefix = f"arn:{who.partition}:iam::{who.account}"
    if kind == "user":
        return f"{prefix}:user/{rest}"
    if kind != "assumed-role":
        return ""
    name = rest.split("/")[0]
    try:
        with aws.errors_of(action="iam:GetRole"):
            return str(case.client("iam").get_role(RoleName=name)["Role"]["Arn"])
    except SmSshError:
        return f"{prefix}:role/{name}"


def is_root(case: Case) -> bool:
    """Say whether the caller is the account's root user, whom no policy of the account limits."""
    return case.known_identity().arn.endswith(":root")
