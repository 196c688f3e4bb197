"""The part of JSONPath that batch transform's filters know: ``$``, ``.name``, ``['a','b']``, ``[0,2:5]``, ``*``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"\.(?P<name>[A-Za-z_][\w-]*|\*)|\[(?P<inside>(?:'[^']*'|\"[^\"]*\"|[^\]'\"])*)\]")
_NAME = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_RANGE = re.compile(r"(-?\d+)?\s*:\s*(-?\d+)?")
_NUMBER = re.compile(r"-?\d+")
# A list of choices: quoted words may have commas.
_CHOICE = re.compile(r"(?:'[^']*'|\"[^\"]*\"|[^,'\"])+")


class NotAPath(ValueError):
    """An expression that the service does not take; the text says why."""


class NoSuchPlace(LookupError):
    """A value has nothing where an expression points."""


@dataclass(frozen=True)
class _Step:
    """One step down: names, or positions and ranges; ``single``: it leads to one value rather than to several."""

    choices: Sequence[str | int | slice]
    single: bool


@dataclass(frozen=True)
class Path:
    """An expression.

    Args:
        steps: its steps; none: the whole value.
    """

    steps: Sequence[_Step] = ()

    @property
    def everything(self) -> bool:
        """Whether it is ``$``."""
        return not self.steps

    def of(self, value: Any) -> Any:
        """Return the part of a value that it points to.

        Args:
            value: a JSON value.

        Raises:
            NoSuchPlace: there is nothing.
        """
        for step in self.steps:
            value = _taken(value, step)
        return value


def parse(expression: str) -> Path:
    """Read an expression.

    Args:
        expression: InputFilter or OutputFilter; ``""`` is ``$``.

    Raises:
        NotAPath: it is none, or goes on behind several values.
    """
    rest = expression.strip() or "$"
    if not rest.startswith("$"):
        raise NotAPath(f"{expression!r} does not begin with $")
    rest = rest[1:]
    steps: list[_Step] = []
    while rest:
        found = _STEP.match(rest)
        if found is None:
            raise NotAPath(f"{expression!r} cannot be read from {rest!r} on")
        if steps and not steps[-1].single:
            raise NotAPath(f"{expression!r} goes on behind a choice of several values")
        steps.append(_step(found, expression))
        rest = rest[found.end() :]
    return Path(tuple(steps))


def _step(found: re.Match[str], expression: str) -> _Step:
    name = found["name"]
    if name is not None:
        return _every() if name == "*" else _Step((name,), single=True)
    inside = found["inside"].strip()
    if inside == "*":
        return _every()
    choices = [_choice(word.strip(), expression) for word in _CHOICE.findall(inside)]
    if not choices or len({isinstance(one, str) for one in choices}) > 1:
        raise NotAPath(f"{expression!r} has names and positions in one choice, or nothing")
    return _Step(tuple(choices), single=len(choices) == 1 and not isinstance(choices[0], slice))


def _every() -> _Step:
    return _Step((slice(None),), single=False)


def _choice(word: str, expression: str) -> str | int | slice:
    if name := _NAME.fullmatch(word):
        return name[1] if name[1] is not None else name[2]
    if _NUMBER.fullmatch(word):
        return int(word)
    if between := _RANGE.fullmatch(word):
        return slice(*(None if end is None else int(end) for end in between.groups()))
    raise NotAPath(f"{expression!r}: {word!r} is neither a name in quotes nor a position nor a range")


def _taken(value: Any, step: _Step) -> Any:
    if isinstance(step.choices[0], str):
        if not isinstance(value, dict):
            raise NoSuchPlace(f"no member {step.choices[0]!r}: it is not an object")
        missing = [name for name in step.choices if name not in value]
        if missing:
            raise NoSuchPlace(f"no member {missing[0]!r}")
        return value[step.choices[0]] if step.single else {name: value[name] for name in step.choices}
    if isinstance(value, dict) and step.choices == _every().choices:
        return list(value.values())
    if not isinstance(value, list):
        raise NoSuchPlace("it is not a list")
    found: list[Any] = []
    for choice in step.choices:
        if isinstance(choice, slice):
            if choice.start is not None and choice.start >= len(value) > 0:
                raise NoSuchPlace(f"no position {choice.start}: it has {len(value)}")
            found += value[choice]
        elif isinstance(choice, int):
            if not -len(value) <= choice < len(value):
                raise NoSuchPlace(f"no position {choice}: it has {len(value)}")
            found.append(value[choice])
    return found[0] if step.single else found
