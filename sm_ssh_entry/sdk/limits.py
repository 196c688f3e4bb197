"""The service's limits on what can be injected, checked before anything is submitted.

Source: botocore's model of SageMaker, contract page 1.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk.state import TUNING


class Limits(NamedTuple):
    """What one kind of container takes.

    Attributes:
        what: its name in a message.
        entries: number of variables.
        value: characters of a value.
        entrypoint: words of an entrypoint; 0: it takes none.
        word: characters of such a word.
    """

    what: str
    entries: int
    value: int
    entrypoint: int = 0
    word: int = 0


LIMITS = {
    "training": Limits("a training job", 100, 512, 100, 256),
    TUNING: Limits("a tuning job", 48, 512),
    "processing": Limits("a processing job", 100, 256, 100, 256),
    "transform": Limits("a transform job", 16, 10240),
    "inference": Limits("a model's container", 100, 1024),
}
# Names and values of all containers of a model together.
MODEL_TOTAL = 32 * 1024
_ROOM_HINT = 'take away some of its own, or leave out ours: public_key="" and owner="" save one variable each'


def check_variables(kind: str, where: str, before: Mapping[str, Any], ours: Mapping[str, str]) -> None:
    """Refuse variables that the service would refuse.

    Args:
        kind: key of ``LIMITS``.
        where: what the container is called in the message.
        before: its variables so far.
        ours: those to be added.

    Raises:
        BadInput: a limit is passed.
    """
    limits = LIMITS[kind]
    for name, value in ours.items():
        if len(value) > limits.value:
            raise BadInput(
                f"{where}: {name} would have {len(value)} characters; {limits.what} takes {limits.value} in a value",
                hint=_value_hint(name),
            )
    number = len({**before, **ours})
    if number > limits.entries:
        raise BadInput(
            f"{where}: {limits.what} takes {limits.entries} variables, and there would be {number}, "
            f"{len(set(ours) - set(before))} of them ours",
            hint=_ROOM_HINT,
        )


def check_total(environments: Sequence[Mapping[str, Any]]) -> None:
    """Refuse the variables of all containers of a model if they are too many characters together.

    Args:
        environments: one mapping for each container.

    Raises:
        BadInput: they are.
    """
    texts = [text for each in environments for pair in each.items() for text in pair if isinstance(text, str)]
    size = sum(len(text.encode()) for text in texts)
    if size > MODEL_TOTAL:
        raise BadInput(
            f"the variables of a model may have {MODEL_TOTAL} bytes in all containers together, and would have {size}",
            hint=_ROOM_HINT,
        )


def check_entrypoint(kind: str, where: str, words: Sequence[Any]) -> None:
    """Refuse an entrypoint that the service would refuse with ours before it.

    Args:
        kind: key of ``LIMITS``.
        where: what the container is called in the message.
        words: the entrypoint, ours included.

    Raises:
        BadInput: it has too many words, or one is too long.
    """
    limits = LIMITS[kind]
    if len(words) > limits.entrypoint:
        raise BadInput(
            f"{where}: {limits.what} takes {limits.entrypoint} words of an entrypoint; with ours it has {len(words)}",
            hint="give some of them as arguments instead",
        )
    longest = max((word for word in words if isinstance(word, str)), key=len)
    if len(longest) > limits.word:
        raise BadInput(
            f"{where}: {limits.what} takes {limits.word} characters in a word of an entrypoint, one has {len(longest)}",
            hint="put the command into a script",
        )


def _value_hint(name: str) -> str:
    if name == contract.SSH_AUTHORIZED_KEYS:
        return 'an Ed25519 key is short enough; or public_key="", and sm-ssh connect brings the key to the node'
    return "give a shorter one"
