"""Turning SSH on in the containers of a submission: everything is checked first, then everything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk import entrypoint, limits, settings
from sm_ssh_entry.sdk.settings import Settings
from sm_ssh_entry.sdk.state import Container, Enabled, Submission


class How(NamedTuple):
    """What was asked for, and how to find out the rest.

    Attributes:
        asked: the arguments, checked.
        prefix: whether entrypoints get ours before them.
        region: region for STS where the target has no session.
        profile: profile likewise.
    """

    asked: Settings
    prefix: bool = True
    region: str | None = None
    profile: str | None = None

    def found(self, present: set[str], session: Any) -> dict[str, str]:
        """Look up what the arguments leave to us and is not ``present``, with the SDK's session if there is one."""
        return settings.looked_up(self.asked, present, session, region=self.region, profile=self.profile)


def turn_on(submission: Submission, how: How, found: Mapping[str, str] | None = None) -> None:
    """Turn SSH on; a submission that is refused stays as it was.

    Args:
        submission: where.
        how: what was asked for.
        found: what was looked up before; None: nothing.

    Raises:
        BadInput: a limit is passed, it is too late, something else is set, or nothing can be reached there.
        SmSshError: the owner or the key could not be found.
    """
    containers = submission.containers
    said = [settings.said(how.asked, container.rank) for container in containers]
    before = [settings.ours(container.environment) for container in containers]
    for container, new, old in zip(containers, said, before, strict=True):
        _refuse(container, new, old)
    if submission.submitted:
        if all(old.get(contract.START_SSH) == "true" for old in before):
            return
        raise BadInput(
            f"this was submitted already ({submission.submitted}): its containers do not see what is set now",
            hint="call enable_ssh before, or on a new object",
        )
    if found is None:
        found = how.found(set.intersection(*map(set, before)), submission.session)
    ours = [
        settings.ours({**settings.defaults(found, container), **old, **new})
        for container, new, old in zip(containers, said, before, strict=True)
    ]
    after = [{**container.environment, **each} for container, each in zip(containers, ours, strict=True)]
    for container, each in zip(containers, ours, strict=True):
        limits.check_variables(container.kind, container.where, container.environment, each)
        if how.prefix and container.entrypoint:
            limits.check_entrypoint(container.kind, container.where, entrypoint.prefixed(container.entrypoint))
    if submission.kind == "inference":
        limits.check_total(after)
    for container, environment in zip(containers, after, strict=True):
        container.assign(environment)
        if how.prefix and container.entrypoint and container.replace:
            container.replace(entrypoint.prefixed(container.entrypoint))
        if how.prefix and container.hook:
            container.hook()


def state(submission: Submission) -> Enabled | None:
    """Return what is on in a submission, told by the variables of the first container that has them; None: nothing."""
    for container in submission.containers:
        found = settings.ours(container.environment)
        if found.get(contract.START_SSH) == "true":
            return told(submission.kind, found, submission.names)
    return None


def told(kind: str, variables: Mapping[str, Any], names: tuple[str, ...] = ()) -> Enabled:
    """Return what is on, told by the variables.

    Args:
        kind: kind of the submission.
        variables: ours, of one container.
        names: what SageMaker calls it.
    """
    texts = {name: value for name, value in variables.items() if value and isinstance(value, str)}
    count = texts.get(contract.SSH_INSTANCE_COUNT, "")
    return Enabled(
        kind,
        texts.get(contract.SSH_SESSION_ID, ""),
        texts,
        int(count) if count.isdigit() else settings.INSTANCE_COUNT,
        names,
    )


def _refuse(container: Container, said: Mapping[str, str], before: Mapping[str, Any]) -> None:
    if container.isolated:
        raise BadInput(
            f"{container.where}: network isolation is on, and nothing can be reached in it",
            hint="turn network isolation off for jobs that need SSH",
        )
    for name, value in said.items():
        # What is no text is a pipeline's variable: only the service will know it.
        if name in before and not (isinstance(before[name], str) and before[name] == value):
            raise BadInput(
                f"{container.where}: {name} is set already, to something else",
                hint="call enable_ssh once, and leave our variables to it",
            )
