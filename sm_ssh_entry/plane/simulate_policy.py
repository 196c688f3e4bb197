"""iam:SimulatePrincipalPolicy, which moto lacks: what an identity may do, by its policies in moto or its key's limits.

Statements are judged as IAM's evaluation logic has it: an explicit Deny wins, then an Allow, and without either the
answer is an implicit deny. Of conditions the operators on strings and ``Null`` are known; a statement with any other
operator never matches. Boundaries, organisations' policies and resource policies are not looked at.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from aiohttp import web

from sm_ssh_entry.plane import local_role
from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.moto_tables import backends
from sm_ssh_entry.plane.store import Store

OPERATION = "SimulatePrincipalPolicy"
_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9:/_.\-]+)\}")
_Statements = list[Mapping[str, Any]]


async def answer(store: Store, body: bytes) -> web.Response:
    """Answer one call.

    Args:
        store: the plane's state, which knows its own keys.
        body: form of the query protocol.

    Raises:
        AwsError: ValidationError, NoSuchEntity.
    """
    form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
    source = form.get("PolicySourceArn", "")
    actions, resources = _members(form, "ActionNames.member."), _members(form, "ResourceArns.member.") or ["*"]
    if not source or not actions:
        raise AwsError("ValidationError", "PolicySourceArn and ActionNames are required.")
    deny = _limits(store, source)
    statements = [] if deny is not None else await asyncio.to_thread(_statements, source, store.account)
    context = _context(form)
    results = []
    for action in actions:
        for resource in resources:
            if deny is None:
                decision = decide(statements, action, resource, context)
            else:
                decision = "implicitDeny" if any(_like(pattern, action, fold=True) for pattern in deny) else "allowed"
            results.append(_result(action, resource, decision))
    return _response("".join(results))


def decide(statements: _Statements, action: str, resource: str, context: Mapping[str, list[str]]) -> str:
    """Return IAM's decision: ``allowed``, ``explicitDeny`` or ``implicitDeny``.

    Args:
        statements: of every policy of the identity.
        action: ``ssm:StartSession``.
        resource: its ARN, or ``*``.
        context: values of condition keys, by lower-case key.
    """
    matching = [one for one in statements if _matches(one, action, resource, context)]
    if any(one.get("Effect") == "Deny" for one in matching):
        return "explicitDeny"
    return "allowed" if any(one.get("Effect") == "Allow" for one in matching) else "implicitDeny"


def _limits(store: Store, source: str) -> set[str] | None:
    """Return what the plane's own keys of an identity may not do; None: no such key is the plane's."""
    mine = [one for one in store.credentials.known() if _resource_part(one.caller.arn) == _resource_part(source)]
    return {pattern for one in mine for pattern in one.deny} if mine else None


def _statements(source: str, account: str) -> _Statements:
    # moto may not have been needed before.
    local_role.arn(account)
    for partitions in list(backends("iam").values()):
        for backend in list(partitions.values()):
            for owner in [*list(backend.roles.values()), *list(backend.users.values())]:
                if owner.arn == source:
                    groups = [one for one in list(backend.groups.values()) if owner in one.users]
                    return [statement for one in (owner, *groups) for statement in _of(one)]
    raise AwsError("NoSuchEntity", f"The entity {source} cannot be found.", 404)


def _of(owner: Any) -> _Statements:
    attached = [
        version.document
        for policy in owner.managed_policies.values()
        for version in policy.versions
        if version.version_id == policy.default_version_id
    ]
    texts = [*owner.policies.values(), *attached]
    found: _Statements = []
    for text in texts:
        statements = json.loads(text)["Statement"]
        found += statements if isinstance(statements, list) else [statements]
    return found


def _matches(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, list[str]]) -> bool:
    def meant(key: str, value: str, *, fold: bool) -> bool:
        patterns = [_filled(pattern, context) for pattern in _words(statement.get(key, ()))]
        if key in statement:
            return any(_like(pattern, value, fold=fold) for pattern in patterns)
        excluded = [_filled(pattern, context) for pattern in _words(statement.get(f"Not{key}", ()))]
        return f"Not{key}" in statement and not any(_like(pattern, value, fold=fold) for pattern in excluded)

    conditions: Mapping[str, Any] = statement.get("Condition", {})
    return (
        meant("Action", action, fold=True)
        and meant("Resource", resource, fold=False)
        and all(_holds(operator, keys, context) for operator, keys in conditions.items())
    )


def _holds(operator: str, keys: Mapping[str, Any], context: Mapping[str, list[str]]) -> bool:
    name = operator.removesuffix("IfExists")
    for key, wanted in keys.items():
        values = context.get(key.lower())
        if name == "Null":
            if (values is None) != (str(_words(wanted)[0]).lower() == "true"):
                return False
            continue
        if values is None:
            if operator.endswith("IfExists") or name.startswith("StringNot"):
                continue
            return False
        if name not in {"StringEquals", "StringLike", "StringNotEquals", "StringNotLike", "ArnLike", "ArnEquals"}:
            return False
        found = any(_like(_filled(pattern, context), value) for pattern in _words(wanted) for value in values)
        if found == ("Not" in name):
            return False
    return True


def _filled(pattern: str, context: Mapping[str, list[str]]) -> str:
    """Put values for a policy's variables: ``${aws:userid}``."""
    return _VARIABLE.sub(lambda found: context.get(found[1].lower(), [found[0]])[0], pattern)


def _like(pattern: str, value: str, *, fold: bool = False) -> bool:
    """Match IAM's wildcards: ``*`` and ``?``, nothing else."""
    text = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(text, value, re.DOTALL | (re.IGNORECASE if fold else 0)) is not None


def _words(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value]


def _members(form: Mapping[str, str], prefix: str) -> list[str]:
    return [value for name, value in form.items() if name.startswith(prefix) and name[len(prefix) :].isdecimal()]


def _context(form: Mapping[str, str]) -> dict[str, list[str]]:
    found = {}
    for name, key in form.items():
        if re.fullmatch(r"ContextEntries\.member\.\d+\.ContextKeyName", name):
            prefix = name.removesuffix("ContextKeyName") + "ContextKeyValues.member."
            found[key.lower()] = _members(form, prefix)
    return found


def _resource_part(arn: str) -> str:
    """Return ``user/name`` of a principal, whatever service its ARN names."""
    return arn.rpartition(":")[2]


def _result(action: str, resource: str, decision: str) -> str:
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}"
        f"</EvalResourceName><EvalDecision>{decision}</EvalDecision><MatchedStatements/><MissingContextValues/></member>"
    )


def _response(results: str) -> web.Response:
    text = (
        f'<{OPERATION}Response xmlns="{_NAMESPACE}"><{OPERATION}Result><IsTruncated>false</IsTruncated>'
        f"<EvaluationResults>{results}</EvaluationResults></{OPERATION}Result>"
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{OPERATION}Response>"
    )
    return web.Response(body=text.encode(), headers={"Content-Type": "text/xml"})
