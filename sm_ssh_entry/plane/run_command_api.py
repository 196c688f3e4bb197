"""Run Command's operations: SendCommand, GetCommandInvocation, ListCommandInvocations, ListCommands, CancelCommand."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from sm_ssh_entry.plane.api import AwsError, Handler, Request
from sm_ssh_entry.plane.control_channel import deliver_commands
from sm_ssh_entry.plane.documents import check_version, find, short_name
from sm_ssh_entry.plane.paging import page
from sm_ssh_entry.plane.run_command import (
    DEFAULT_DELIVERY_SECONDS,
    MAX_PLUGIN_OUTPUT,
    MAX_STDERR,
    MAX_STDOUT,
    Command,
    Invocation,
    Status,
    cut,
    forget_oldest,
    next_serial,
)
from sm_ssh_entry.plane.store import Node, Store
from sm_ssh_entry.wire.control import JobStep

# What the answers repeat of the call as it was.
_ECHOED = ("MaxConcurrency", "MaxErrors", "OutputS3BucketName", "OutputS3KeyPrefix", "OutputS3Region")


async def send_command(store: Store, request: Request) -> dict[str, Any]:
    """SendCommand: to nodes by id or by tag. A node without a control channel gets it when it has one again."""
    params = request.params
    document = find(params["DocumentName"], "Command")
    check_version(params.get("DocumentVersion"))
    parameters = {name: list(values) for name, values in (params.get("Parameters") or {}).items()}
    arguments = document.arguments(parameters)
    nodes = _recipients(store, request)
    command = Command(
        command_id=str(uuid.uuid4()),
        region=request.region,
        document=document,
        arguments=arguments,
        parameters=parameters,
        requested=store.clock(),
        delivery_seconds=params.get("TimeoutSeconds", DEFAULT_DELIVERY_SECONDS),
        execution_seconds=int(str(arguments.get("executionTimeout", "3600"))),
        instance_ids=tuple(params.get("InstanceIds") or ()),
        targets=tuple(params.get("Targets") or ()),
        comment=params.get("Comment", ""),
        serial=next_serial(store.commands),
        echo={"DocumentVersion": params.get("DocumentVersion") or "$DEFAULT"}
        | {name: params[name] for name in _ECHOED if name in params},
    )
    command.invocations = {node.node_id: Invocation(command.command_id, node.node_id) for node in nodes}
    store.commands[command.command_id] = command
    answer = {"Command": _command(command)}
    for node in nodes:
        await deliver_commands(store, node)
    forget_oldest(store.commands)
    return answer


async def get_command_invocation(store: Store, request: Request) -> dict[str, Any]:
    """GetCommandInvocation: one command on one node, or one step of it."""
    params = request.params
    command = _known_command(store, request)
    invocation = command.invocations.get(params["InstanceId"]) if command else None
    if command is None or invocation is None:
        raise AwsError("InvocationDoesNotExist")
    name, step = _step(command, invocation, params.get("PluginName"))
    return {
        "CommandId": command.command_id,
        "InstanceId": invocation.node_id,
        "Comment": command.comment,
        "DocumentName": command.document.name,
        "DocumentVersion": command.echo["DocumentVersion"],
        "PluginName": name,
        "ResponseCode": _code(invocation, step),
        "ExecutionStartDateTime": step.start if step else "",
        "ExecutionElapsedTime": _elapsed(step),
        "ExecutionEndDateTime": step.end if step and invocation.status.final else "",
        "Status": invocation.status.value,
        "StatusDetails": invocation.details,
        "StandardOutputContent": cut(step.standard_output, MAX_STDOUT) if step else "",
        "StandardOutputUrl": "",
        "StandardErrorContent": cut(step.standard_error, MAX_STDERR) if step else "",
        "StandardErrorUrl": "",
        "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": False},
    }


async def list_command_invocations(store: Store, request: Request) -> dict[str, Any]:
    """ListCommandInvocations: newest first; with Details also what each step put out."""
    params = request.params
    found = [
        (command, index, invocation)
        for command in _matching(store, request)
        for index, invocation in enumerate(command.invocations.values())
        if params.get("InstanceId") in (None, invocation.node_id)
        and _passes(command, invocation.status, params.get("Filters"))
    ]
    shown, more = page(request, found, _place, default=50)
    details = bool(params.get("Details"))
    listed = [_invocation(store, command, one, details=details) for command, _, one in shown]
    return {"CommandInvocations": listed, **more}


async def list_commands(store: Store, request: Request) -> dict[str, Any]:
    """ListCommands: newest first."""
    found = [
        command
        for command in _matching(store, request)
        if request.params.get("InstanceId") in (None, *command.invocations)
        and _passes(command, command.status, request.params.get("Filters"))
    ]
    shown, more = page(request, found, lambda command: -command.serial, default=50)
    return {"Commands": [_command(command) for command in shown], **more}


async def cancel_command(store: Store, request: Request) -> dict[str, Any]:
    """CancelCommand: on all of its nodes or some. What has ended stays as it is."""
    command = _known_command(store, request)
    if command is None:
        raise AwsError("InvalidCommandId")
    asked = request.params.get("InstanceIds") or list(command.invocations)
    if len(set(asked)) < len(asked):
        raise AwsError("DuplicateInstanceId")
    unknown = [node_id for node_id in asked if node_id not in command.invocations]
    if unknown:
        raise AwsError("InvalidInstanceId", f"The command was not sent to {', '.join(unknown)}.")
    for node_id in asked:
        command.invocations[node_id].cancel()
        node = store.nodes.get(node_id)
        if node is not None:
            await deliver_commands(store, node)
    return {}


OPERATIONS: dict[str, Handler] = {
    "SendCommand": send_command,
    "GetCommandInvocation": get_command_invocation,
    "ListCommandInvocations": list_command_invocations,
    "ListCommands": list_commands,
    "CancelCommand": cancel_command,
}


def _recipients(store: Store, request: Request) -> list[Node]:
    ids, targets = request.params.get("InstanceIds") or [], request.params.get("Targets") or []
    if bool(ids) == bool(targets):
        raise AwsError("ValidationException", "Give either InstanceIds or Targets, and not both.")
    if len(set(ids)) < len(ids):
        raise AwsError("DuplicateInstanceId")
    chosen = _by_id(store, ids, request.region)
    for index, target in enumerate(targets):
        matching = _targeted(store, target["Key"], target.get("Values") or [], request.region)
        # Several targets narrow one another.
        chosen = matching if index == 0 else [node for node in chosen if node in matching]
    return chosen


def _by_id(store: Store, ids: Iterable[str], region: str) -> list[Node]:
    found = {node_id: store.nodes.get(node_id, region) for node_id in ids}
    missing = [node_id for node_id, node in found.items() if node is None or node.target]
    if missing:
        listed = ", ".join(missing)
        raise AwsError("InvalidInstanceId", f"Instances [[{listed}]] not in a valid state for account {store.account}")
    return [node for node in found.values() if node is not None]


def _targeted(store: Store, key: str, values: list[str], region: str) -> list[Node]:
    if key.lower() == "instanceids":
        return store.nodes.of(region) if values == ["*"] else _by_id(store, values, region)
    if key.startswith("tag:"):
        return store.nodes.tagged(region, key.removeprefix("tag:"), values)
    if key == "tag-key":
        by_id = {node.node_id: node for value in values for node in store.nodes.tagged(region, value)}
        return list(by_id.values())
    raise AwsError("ValidationException", f"Target key {key} is not one of InstanceIds, tag:<key> and tag-key.")


def _known_command(store: Store, request: Request) -> Command | None:
    command = store.commands.get(request.params["CommandId"])
    if command is None or command.region != request.region:
        return None
    command.expire(store.clock())
    return command


def _matching(store: Store, request: Request) -> list[Command]:
    command_id = request.params.get("CommandId")
    if command_id:
        command = _known_command(store, request)
        if command is None:
            raise AwsError("InvalidCommandId")
        return [command]
    found = [command for command in reversed(list(store.commands.values())) if command.region == request.region]
    for command in found:
        command.expire(store.clock())
    return found


def _place(found: tuple[Command, int, Invocation]) -> int:
    command, index, _ = found
    return index - (command.serial << 32)


def _passes(command: Command, status: Status, filters: list[dict[str, str]] | None) -> bool:
    for one in filters or []:
        key, value = one["key"], one["value"]
        if key in ("InvokedAfter", "InvokedBefore"):
            at = _epoch(value)
            if command.requested <= at if key == "InvokedAfter" else command.requested >= at:
                return False
        elif key == "Status":
            if status.value != value:
                return False
        elif key == "DocumentName":
            if command.document.name != short_name(value):
                return False
        elif key == "ExecutionStage":
            if status.final != (value == "Complete"):
                return False
        else:
            raise AwsError("InvalidFilterKey", f"{key} is not a key of this operation's filters.")
    return True


def _command(command: Command) -> dict[str, Any]:
    final = (Status.SUCCESS, Status.FAILED, Status.TIMED_OUT, Status.CANCELLED)
    late = sum(one.details == "DeliveryTimedOut" for one in command.invocations.values())
    return {
        "CommandId": command.command_id,
        "DocumentName": command.document.name,
        "Comment": command.comment,
        "ExpiresAfter": command.expires,
        "Parameters": command.parameters,
        "InstanceIds": list(command.instance_ids),
        "Targets": list(command.targets),
        "RequestedDateTime": command.requested,
        "Status": command.status.value,
        "StatusDetails": command.details,
        "OutputS3BucketName": "",
        "OutputS3KeyPrefix": "",
        "MaxConcurrency": "50",
        "MaxErrors": "0",
        **command.echo,
        "TargetCount": len(command.invocations),
        "CompletedCount": command.count(*final),
        "ErrorCount": command.count(Status.FAILED, Status.TIMED_OUT) - late,
        "DeliveryTimedOutCount": late,
        "ServiceRole": "",
        "NotificationConfig": {"NotificationArn": "", "NotificationEvents": [], "NotificationType": ""},
        "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": False},
        "TimeoutSeconds": command.delivery_seconds,
    }


def _invocation(store: Store, command: Command, invocation: Invocation, *, details: bool) -> dict[str, Any]:
    node = store.nodes.get(invocation.node_id)
    plugins = [_plugin(name, step) for name, step in invocation.steps.items()] if details else []
    return {
        "CommandId": command.command_id,
        "InstanceId": invocation.node_id,
        "InstanceName": node.info.get("ComputerName", "") if node else "",
        "Comment": command.comment,
        "DocumentName": command.document.name,
        "DocumentVersion": command.echo["DocumentVersion"],
        "RequestedDateTime": command.requested,
        "Status": invocation.status.value,
        "StatusDetails": invocation.details,
        "TraceOutput": invocation.trace[:2500],
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
        "CommandPlugins": plugins,
        "ServiceRole": "",
        "NotificationConfig": {"NotificationArn": "", "NotificationEvents": [], "NotificationType": ""},
        "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": False},
    }


def _plugin(name: str, step: JobStep) -> dict[str, Any]:
    renamed = {"SuccessAndReboot": "Success", "Skipped": "Success", "NotStarted": "Pending"}
    status = renamed.get(step.status, step.status)
    times = {"ResponseStartDateTime": _at(step.start), "ResponseFinishDateTime": _at(step.end)}
    return {
        "Name": name,
        "Status": status,
        "StatusDetails": status,
        "ResponseCode": step.code,
        "Output": cut(step.output or step.standard_output, MAX_PLUGIN_OUTPUT),
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
        **{key: at.timestamp() for key, at in times.items() if at is not None},
    }


def _step(command: Command, invocation: Invocation, name: str | None) -> tuple[str, JobStep | None]:
    if name:
        if name in invocation.steps:
            return name, invocation.steps[name]
        if invocation.steps:
            raise AwsError("InvalidPluginName")
        return name, None
    unknown = next(iter(command.document.content["runtimeConfig"]), "")
    # One step speaks for the whole; of several, the first that went wrong, or the last.
    wrong = [key for key, step in invocation.steps.items() if step.status not in ("Success", "Skipped")]
    chosen = (wrong or list(invocation.steps)[-1:] or [unknown])[0]
    return chosen, invocation.steps.get(chosen)


def _code(invocation: Invocation, step: JobStep | None) -> int:
    return step.code if step is not None and invocation.status.final else -1


def _elapsed(step: JobStep | None) -> str:
    start, end = (_at(step.start), _at(step.end)) if step else (None, None)
    return f"PT{max(0.0, (end - start).total_seconds()):.3f}S" if start and end else ""


def _at(text: str) -> datetime | None:
    # The agent writes as many digits of a second as it likes; Python 3.10 reads three or six.
    head, dot, rest = text.replace("Z", "+00:00").partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    try:
        at = datetime.fromisoformat(head + dot + digits.ljust(6, "0")[:6] * bool(dot) + rest[len(digits) :])
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=timezone.utc)


def _epoch(text: str) -> float:
    at = _at(text)
    if at is None:
        raise AwsError("ValidationException", "A filter's time is not of the form 2018-08-29T00:00:00Z.")
    return at.timestamp()
