"""What the caller may do: by simulating policies, and where that is not allowed by a call that can do no harm.

A refused trial of an action on some node proves nothing, because a policy may allow the caller's own nodes only. A
trial that comes through to "no such node" proves that the action is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect.doctor import policies, simulation
from sm_ssh_entry.connect.doctor.case import Case
from sm_ssh_entry.connect.doctor.findings import Finding, bad, ok, unchecked
from sm_ssh_entry.connect.doctor.policies import Scope, Statement
from sm_ssh_entry.errors import AccessDenied, ServiceError

# Right in form, and no node's: ids are random.
NOBODY = "mi-00000000000000000"


@dataclass(frozen=True)
class Need:
    """An action that the caller needs.

    Attributes:
        action: ``ssm:StartSession``.
        resources: ARNs on which; every one of them must be allowed.
        statements: what allows it.
        trial: a call that can do no harm.
        certain: whether a refused trial proves that the action is not allowed: the call that a login makes itself is a
            better witness than a simulation, which sees not every kind of policy.
    """

    action: str
    resources: Callable[[Case], tuple[str, ...]]
    statements: Callable[[Scope], tuple[Statement, ...]]
    trial: Callable[[Any, Case], object]
    certain: Callable[[Case], bool] = lambda _: False


def scope_of(case: Case) -> Scope:
    """Return where policies of this case hold."""
    who = case.known_identity()
    return Scope(who.partition, case.region, who.account)


def _known_node(case: Case) -> str:
    return case.place.node.node_id if case.place and not case.place.native else ""


def _node(case: Case) -> str:
    return case.arn("ssm", f"managed-instance/{_known_node(case) or NOBODY}")


def _everything(_: Case) -> tuple[str, ...]:
    return ("*",)


FIND = Need(
    "ssm:DescribeInstanceInformation",
    _everything,
    lambda _: (policies.find_nodes(),),
    lambda ssm, _: ssm.describe_instance_information(MaxResults=5),
    certain=lambda _: True,
)
TAGS = Need(
    "ssm:ListTagsForResource",
    lambda case: (_node(case),),
    lambda _: (policies.find_nodes(),),
    lambda ssm, case: ssm.list_tags_for_resource(
        ResourceType="ManagedInstance", ResourceId=_known_node(case) or NOBODY
    ),
    certain=lambda case: bool(_known_node(case)),
)
START = Need(
    "ssm:StartSession",
    lambda case: (_node(case), case.arn("ssm", f"document/{policies.SSH_DOCUMENT}", account="")),
    policies.start_session,
    lambda ssm, _: ssm.start_session(
        Target=NOBODY, DocumentName=policies.SSH_DOCUMENT, Parameters={"portNumber": ["22"]}
    ),
)
END = Need(
    "ssm:TerminateSession",
    lambda case: (case.arn("ssm", f"session/{case.known_identity().user_id}-0123456789abcdef0"),),
    lambda scope: (policies.end_session(scope),),
    lambda ssm, case: ssm.terminate_session(SessionId=f"{_session_prefix(case)}-00000000000000000"),
)
SEND = Need(
    "ssm:SendCommand",
    lambda case: (_node(case), case.arn("ssm", f"document/{policies.SCRIPT_DOCUMENT}", account="")),
    policies.send_command,
    lambda ssm, _: ssm.send_command(
        InstanceIds=[NOBODY], DocumentName=policies.SCRIPT_DOCUMENT, Parameters={"commands": ["true"]}
    ),
)


def find(case: Case) -> Finding:
    """May the caller list managed nodes?"""
    return _judge(case, FIND)


def tags(case: Case) -> Finding:
    """May the caller read their tags?"""
    return _judge(case, TAGS)


def start(case: Case) -> Finding:
    """May the caller open sessions?"""
    return _judge(case, START)


def end(case: Case) -> Finding:
    """May the caller end them?"""
    return _judge(case, END)


def send(case: Case) -> Finding:
    """May the caller use Run Command, by which keys are pushed and held jobs released?"""
    return _judge(case, SEND)


def _judge(case: Case, need: Need) -> Finding:
    if simulation.is_root(case):
        return ok("the account's root user may")
    if case.native and need is not FIND:
        return unchecked("SageMaker's own way has other targets: the session itself shows it")
    if need.certain(case):
        return _tried(case, need)
    source = simulation.source_of(case)
    answers = [
        simulation.allowed(case, source, need.action, resource, _context(case)) for resource in need.resources(case)
    ]
    if None in answers:
        return _tried(case, need)
    if not all(answers):
        return _refused(case, need, f"policies of {source} do not allow {need.action}")
    return ok(f"{need.action} is allowed")


def _tried(case: Case, need: Need) -> Finding:
    try:
        with aws.errors_of(action=need.action):
            need.trial(case.client("ssm"), case)
    except AccessDenied as error:
        if need.certain(case):
            return _refused(case, need, error.message)
        return unchecked(
            f"{need.action} on a node that does not exist was refused, which a policy for one's own nodes does too; "
            "nor may you ask iam:SimulatePrincipalPolicy"
        )
    except ServiceError:  # no such node: as far as that one gets only who may
        pass
    return ok(f"{need.action} is allowed")


def _refused(case: Case, need: Need, why: str) -> Finding:
    statements = policies.line(*need.statements(scope_of(case)))
    return bad(why, f"allow it in a policy of {case.known_identity().arn}: {statements}")


def _context(case: Case) -> Mapping[str, str]:
    """Return the condition keys of a call for one's own node; for NAME's, if that is known, as its tags are."""
    who = case.known_identity()
    owner = case.place.node.tag(contract.TAG_OWNER) if case.place else ""
    owner = owner or who.user_id
    return {
        "aws:userid": who.user_id,
        "aws:username": who.arn.rpartition("/")[2],
        f"ssm:resourceTag/{contract.TAG_OWNER}": owner,
        f"aws:ResourceTag/{contract.TAG_OWNER}": owner,
        "ssm:resourceTag/aws:ssmmessages:session-id": who.user_id,
        "aws:RequestedRegion": case.region,
    }


def _session_prefix(case: Case) -> str:
    """Session ids begin with the name of the user or of the role's session."""
    return case.known_identity().arn.rpartition("/")[2] or "root"
