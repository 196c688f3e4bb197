"""Pipeline definitions: the requests in their steps, conditions included."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk.requests import OPERATIONS
from sm_ssh_entry.sdk.state import PIPELINE, Container, Submission

# Type of a step: operation whose request its arguments are. Checks of quality and bias run AWS's own images.
_TYPES = {
    "Training": "CreateTrainingJob",
    "Tuning": "CreateHyperParameterTuningJob",
    "Processing": "CreateProcessingJob",
    "Transform": "CreateTransformJob",
    "Model": "CreateModel",
}


def parsed(text: str) -> dict[str, Any]:
    """Return a pipeline definition from its JSON.

    Raises:
        BadInput: it is none.
    """
    try:
        definition = json.loads(text)
    except ValueError as error:
        raise BadInput("this text is no pipeline definition: it is no JSON") from error
    if not is_definition(definition):
        raise BadInput("this text is no pipeline definition: it has no Steps")
    return dict(definition)


def is_definition(value: object) -> bool:
    """Tell whether a value is a pipeline definition."""
    return isinstance(value, dict) and isinstance(value.get("Steps"), list)


def submission(definition: dict[str, Any], meant: Collection[str] | None = None) -> Submission:
    """Return the containers of a definition's steps; ``assign`` and ``replace`` change this very definition.

    Args:
        definition: the definition.
        meant: names of steps; None: all that have a container of ours.

    Raises:
        BadInput: a step that is meant is not there or can have no SSH, or there is no step that can.
    """
    steps = list(_steps(definition["Steps"]))
    containers: list[Container] = []
    for step in steps:
        name, operation = str(step.get("Name", "")), _TYPES.get(str(step.get("Type")))
        if operation and (meant is None or name in meant):
            containers += OPERATIONS[operation][2](step.get("Arguments", {}), f"step {name}")
        elif meant is not None and name in meant:
            raise BadInput(f"step {name}: a step of type {step.get('Type')} cannot have SSH")
    names = {str(step.get("Name", "")) for step in steps}
    for name in meant or ():
        if name not in names:
            raise BadInput(f"the pipeline has no step {name}", hint=f"its steps: {', '.join(sorted(names))}")
    if not containers:
        raise BadInput(
            "the pipeline has no step that can have SSH", hint=f"steps of these types can: {', '.join(_TYPES)}"
        )
    return Submission(PIPELINE, tuple(containers))


def _steps(steps: list[Any]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield step
        arguments = step.get("Arguments")
        if isinstance(arguments, dict):
            for branch in ("IfSteps", "ElseSteps", "Steps"):
                inner = arguments.get(branch)
                yield from _steps(inner if isinstance(inner, list) else [])
