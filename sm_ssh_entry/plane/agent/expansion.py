"""What a document becomes for one run: parameters filled in, steps and properties picked out. Pure.

The agent substitutes ``{{ name }}``; checking the values is the service's job (protocol page, sections 9.1 and 10.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.wire.payloads import SessionType

COMMAND_SCHEMAS_OF_PLUGINS = frozenset({"1.0", "1.2"})
COMMAND_SCHEMAS_OF_STEPS = frozenset({"2.0", "2.0.1", "2.0.2", "2.0.3", "2.2"})
RUN_SHELL_SCRIPT = "aws:runShellScript"
DEFAULT_TIMEOUT = 3600.0
MAX_TIMEOUT = 172_800.0
MAX_STEPS = 100
_NAME = re.compile(r"\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}")


class InvalidDocument(Exception):
    """A document that this agent cannot run; the text says why."""


@dataclass(frozen=True)
class Script:
    """One shell script of a step. ``timeout`` in seconds; ``directory`` ``""``: the agent's own."""

    text: str
    directory: str
    timeout: float


@dataclass(frozen=True)
class Step:
    """One step of a command: its name in the replies, its action, and the scripts it runs in turn.

    Args:
        name: name in ``runtimeStatus``.
        action: ``aws:runShellScript``, or one that we do not know.
        scripts: empty where the action is unknown or the step is skipped.
        skipped: a precondition that does not hold here.
        exit_on_failure: the steps after it do not run once it has failed.
    """

    name: str
    action: str
    scripts: tuple[Script, ...]
    skipped: bool = False
    exit_on_failure: bool = False


@dataclass(frozen=True)
class SessionPlan:
    """What a session document says once it is filled in. ``properties`` None: the document has none."""

    session_type: SessionType
    properties: Mapping[str, Any] | None


def substitute(value: Any, parameters: Mapping[str, Any]) -> Any:
    """Fill ``{{ name }}`` in every string of a JSON value, once: what a parameter brings in is not looked at again.

    A string that is nothing but one reference becomes the parameter itself, so a list stays a list. Inside a longer
    string a list is written one item a line. Unknown names stay as they are.
    """
    if isinstance(value, str):
        whole = _NAME.fullmatch(value.strip())
        if whole and whole.group(1) in parameters:
            return parameters[whole.group(1)]
        return _NAME.sub(lambda match: _text(parameters.get(match.group(1), match.group(0))), value)
    if isinstance(value, list):
        return [substitute(item, parameters) for item in value]
    if isinstance(value, dict):
        return {key: substitute(item, parameters) for key, item in value.items()}
    return value


def session_plan(document: Mapping[str, Any], given: Mapping[str, str]) -> SessionPlan:
    """Return what a session document asks for.

    Raises:
        InvalidDocument: another schema, or a session type that this agent does not serve.
    """
    version = str(document.get("schemaVersion", ""))
    if version != "1.0":
        raise InvalidDocument(f"session document schema {version!r} is not supported")
    try:
        session_type = SessionType(str(document.get("sessionType", "")))
    except ValueError:
        raise InvalidDocument(f"session type {document.get('sessionType')!r} is not supported") from None
    key = document.get("inputs", {}).get("kmsKeyId") if isinstance(document.get("inputs"), dict) else None
    if key:
        raise InvalidDocument("the document asks for KMS encryption, which the stand-in agent does not offer")
    properties = substitute(document.get("properties"), _values(document, given))
    if properties is not None and not isinstance(properties, dict):
        raise InvalidDocument("properties of the session document is not an object")
    return SessionPlan(session_type, properties or None)


def command_steps(
    document: Mapping[str, Any], given: Mapping[str, Any], *, platform: str = "Linux"
) -> tuple[Step, ...]:
    """Return the steps of a command document, in order.

    Args:
        document: content of the document.
        given: parameters.
        platform: what a ``platformType`` precondition is compared with.

    Raises:
        InvalidDocument: a schema or a shape that this agent does not know.
    """
    version = str(document.get("schemaVersion", ""))
    values = _values(document, given)
    if version in COMMAND_SCHEMAS_OF_PLUGINS:
        plugins = _object(document.get("runtimeConfig"), "runtimeConfig")
        steps = tuple(_plugin(name, config, values) for name, config in plugins.items())
    elif version in COMMAND_SCHEMAS_OF_STEPS:
        main = document.get("mainSteps")
        if not isinstance(main, list):
            raise InvalidDocument("mainSteps is not a list")
        steps = tuple(_main_step(_object(step, "a step of mainSteps"), values, platform) for step in main)
    else:
        raise InvalidDocument(f"command document schema {version!r} is not supported")
    if not 0 < len(steps) <= MAX_STEPS:
        raise InvalidDocument(f"a command document has 1 to {MAX_STEPS} steps, not {len(steps)}")
    if len({step.name for step in steps}) != len(steps):
        raise InvalidDocument("two steps have one name")
    return steps


def _plugin(name: str, config: Any, values: Mapping[str, Any]) -> Step:
    properties = _object(config, name).get("properties")
    if not isinstance(properties, list):
        properties = [properties]
    scripts = (
        tuple(_script(_object(item, "properties"), values) for item in properties) if name == RUN_SHELL_SCRIPT else ()
    )
    return Step(name, name, scripts)


def _main_step(step: Mapping[str, Any], values: Mapping[str, Any], platform: str) -> Step:
    name, action = step.get("name"), step.get("action")
    if not isinstance(name, str) or not name or not isinstance(action, str):
        raise InvalidDocument("a step has no name or no action")
    if not _holds(step.get("precondition"), platform):
        return Step(name, action, (), skipped=True)
    inputs = _object(step.get("inputs", {}), f"inputs of {name}")
    scripts = (_script(inputs, values),) if action == RUN_SHELL_SCRIPT else ()
    leaves = str(step.get("onFailure", inputs.get("onFailure", ""))) == "exit"
    return Step(name, action, scripts, exit_on_failure=leaves)


def _holds(precondition: Any, platform: str) -> bool:
    """Say whether a step's precondition holds. The one that is in use compares the platform."""
    if precondition is None:
        return True
    operands = precondition.get("StringEquals") if isinstance(precondition, dict) and len(precondition) == 1 else None
    if not isinstance(operands, list) or len(operands) != 2 or "platformType" not in operands:
        raise InvalidDocument("a precondition other than StringEquals of platformType is not supported")
    other = operands[1] if operands[0] == "platformType" else operands[0]
    return str(other) == platform


def _script(inputs: Mapping[str, Any], values: Mapping[str, Any]) -> Script:
    lines = substitute(inputs.get("runCommand"), values)
    if isinstance(lines, list):
        # A reference inside a list of lines may itself bring a list.
        lines = [line for item in lines for line in (item if isinstance(item, list) else [item])]
    else:
        lines = [lines]
    if not all(isinstance(line, str) for line in lines):
        raise InvalidDocument("runCommand is not a string or a list of strings")
    directory = substitute(inputs.get("workingDirectory"), values) or ""
    if not isinstance(directory, str) or "\0" in directory:
        raise InvalidDocument("workingDirectory is not a path")
    return Script("\n".join(lines) + "\n", directory, _timeout(substitute(inputs.get("timeoutSeconds"), values)))


def _timeout(value: Any) -> float:
    if value in (None, ""):
        return DEFAULT_TIMEOUT
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        raise InvalidDocument("timeoutSeconds is not a number") from None
    if not 0 < seconds <= MAX_TIMEOUT:
        raise InvalidDocument(f"timeoutSeconds is not within 1 and {MAX_TIMEOUT:.0f}")
    return seconds


def _values(document: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The given parameters, and the defaults of those that the document declares and nobody gave."""
    declared = document.get("parameters")
    defaults = {
        name: definition["default"]
        for name, definition in (declared.items() if isinstance(declared, dict) else ())
        if isinstance(definition, dict) and "default" in definition
    }
    return {**defaults, **given}


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidDocument(f"{what} is not an object")
    return value


def _text(value: Any) -> str:
    return "\n".join(str(item) for item in value) if isinstance(value, list) else str(value)
