"""What SageMaker calls the thing that an object of the SDK has submitted."""

from __future__ import annotations

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk import objects
from sm_ssh_entry.sdk.wrappers.detached import Detached


def name(target: object, noun: str, method: str) -> str:
    """Return the newest name.

    Args:
        target: object of either SDK, or a stand-in.
        noun: what is submitted: ``training job``.
        method: what submits it: ``fit()``.

    Raises:
        BadInput: nothing was submitted yet.
    """
    if isinstance(target, Detached):
        return target.record.name
    names = objects.submission(target).names
    if not names:
        raise BadInput(f"this {type(target).__name__} has no {noun} yet", hint=f"call {method} first")
    return names[-1]
