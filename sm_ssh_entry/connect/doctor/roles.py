"""The two roles of a job: its execution role, which makes activations, and the role that its nodes register with.

They may be one and the same. A role that the caller may not read is not judged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.connect.doctor import policies, simulation
from sm_ssh_entry.connect.doctor.case import Case
from sm_ssh_entry.connect.doctor.findings import Finding, bad, ok, unchecked
from sm_ssh_entry.errors import AccessDenied, ServiceError

_SSM = {"ssm.amazonaws.com", "ssm.amazonaws.com.cn"}
_MISSING = {"NoSuchEntity", "NoSuchEntityException"}
_NATIVE = "SageMaker's own way makes no activation"
_UNKNOWN = "the role is not known: name it with {}"


def name_of(role: str) -> str:
    """Return a role's name, from an ARN or from a name with its path."""
    return role.rpartition("/")[2] if "/" in role else role.rpartition(":")[2]


def exists(case: Case) -> Finding:
    """Is there the role that nodes register with?"""
    role = case.node_role
    if case.native:
        return unchecked(_NATIVE, blocked=True)
    if not role:
        return unchecked(_UNKNOWN.format("--ssm-role"), blocked=True)
    try:
        return ok(str(_read(case, role)["Arn"]))
    except ServiceError as error:
        if error.code not in _MISSING:
            raise
    trust = json.dumps(policies.document([policies.node_trust()]))
    return bad(
        f"there is no role {name_of(role)}: nodes cannot register with it",
        f"aws iam create-role --role-name {name_of(role)} --assume-role-policy-document '{trust}'",
    )


def trust(case: Case) -> Finding:
    """Does it trust Systems Manager?"""
    role = _read(case, case.node_role)
    if _trusts(role.get("AssumeRolePolicyDocument") or {}):
        return ok("it trusts ssm.amazonaws.com")
    name = name_of(case.node_role)
    return bad(
        f"{name} does not trust ssm.amazonaws.com: nodes cannot register with it",
        f"add to its trust policy (aws iam update-assume-role-policy --role-name {name}): "
        f"{policies.line(policies.node_trust())}",
    )


def permissions(case: Case) -> Finding:
    """May nodes with it keep a channel to Session Manager?"""
    arn, name = _arn(case, case.node_role), name_of(case.node_role)
    answers = {action: simulation.allowed(case, arn, action, "*", _tagged(case)) for action in policies.AGENT_ACTIONS}
    if None in answers.values():
        return _attached(case, name)
    missing = [action for action, allowed in answers.items() if not allowed]
    if not missing:
        return ok("it may register, and open control and data channels")
    return bad(f"{name} may not {', '.join(missing)}", _attach(case, name))


def create(case: Case) -> Finding:
    """May the execution role make activations?"""
    return _execution(case, "ssm:CreateActivation", "*", policies.create_activation())


def tag(case: Case) -> Finding:
    """May it tag them? Without their tags nodes are not found."""
    arn = _arn(case, case.node_role)
    return _execution(case, "ssm:AddTagsToResource", arn, policies.tag_activation(arn))


def hand_over(case: Case) -> Finding:
    """May it give nodes their role?"""
    arn = _arn(case, case.node_role)
    return _execution(case, "iam:PassRole", arn, policies.pass_role(arn), {"iam:PassedToService": "ssm.amazonaws.com"})


def _execution(
    case: Case, action: str, resource: str, statement: policies.Statement, context: Mapping[str, str] | None = None
) -> Finding:
    role = case.execution_role
    if case.native:
        return unchecked(_NATIVE)
    if not role or not resource:
        return unchecked(_UNKNOWN.format("--role"))
    try:
        arn = str(_read(case, role)["Arn"])
    except ServiceError as error:
        if error.code in _MISSING:
            return bad(f"there is no role {name_of(role)}", "name the job's own role with --role")
        raise
    except AccessDenied:
        arn = _arn(case, role)
    allowed = simulation.allowed(case, arn, action, resource, context or {})
    if allowed is None:
        return unchecked(f"you may not ask what {name_of(role)} may do (iam:SimulatePrincipalPolicy)")
    if not allowed:
        return bad(
            f"{name_of(role)} may not {action}: the container cannot register",
            f"aws iam put-role-policy --role-name {name_of(role)} --policy-name sm-ssh-{action.partition(':')[2]} "
            f"--policy-document '{json.dumps(policies.document([statement]))}'",
        )
    return ok(f"{name_of(role)} may {action}")


def _read(case: Case, role: str) -> Mapping[str, Any]:
    with aws.errors_of(action="iam:GetRole"):
        found: Mapping[str, Any] = case.client("iam").get_role(RoleName=name_of(role))["Role"]
    return found


def _arn(case: Case, role: str) -> str:
    """Return a role's ARN: as given, or put together from its name, which may have its path with it."""
    if not role or role.startswith("arn:"):
        return role
    who = case.known_identity()
    return f"arn:{who.partition}:iam::{who.account}:role/{role}"


def _trusts(document: Mapping[str, Any]) -> bool:
    for statement in _list(document.get("Statement", ())):
        principal = statement.get("Principal", {})
        services = _list(principal.get("Service", ())) if isinstance(principal, Mapping) else [principal]
        actions = {str(one).lower() for one in _list(statement.get("Action", ()))}
        if statement.get("Effect") == "Allow" and _SSM & set(services) and {"sts:assumerole", "sts:*", "*"} & actions:
            return True
    return False


def _attached(case: Case, name: str) -> Finding:
    """Judge by the one policy that everybody attaches, where nothing can be simulated."""
    with aws.errors_of(action="iam:ListAttachedRolePolicies"):
        answer = case.client("iam").list_attached_role_policies(RoleName=name)
    if any(one["PolicyName"] == policies.MANAGED_CORE for one in answer["AttachedPolicies"]):
        return ok(f"it has {policies.MANAGED_CORE}")
    return unchecked(f"it does not have {policies.MANAGED_CORE}, and you may not ask what its policies allow")


def _attach(case: Case, name: str) -> str:
    arn = f"arn:{case.known_identity().partition}:iam::aws:policy/{policies.MANAGED_CORE}"
    return f"aws iam attach-role-policy --role-name {name} --policy-arn {arn}"


def _tagged(case: Case) -> dict[str, str]:
    """Return the tag of a node, by which a policy may limit what nodes do."""
    return {"ssm:resourceTag/SSHOwner": case.known_identity().user_id}


def _list(value: Any) -> list[Any]:
    return [value] if isinstance(value, (str, Mapping)) else list(value)
