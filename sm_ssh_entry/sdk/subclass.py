"""One object's method, changed: the object gets a class of its own, and every other object keeps the SDK's.

A function put into the object itself would be shared by its shallow copies, and work on the wrong one; classes that
forbid unknown attributes would refuse it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_MARK = "_sm_ssh_overrides"
# Is given the class's own method, bound, then the object and the arguments.
Wrap = Callable[..., Any]


def override(target: Any, name: str, wrap: Wrap) -> None:
    """Let one object's method go through a function. A second call does nothing.

    Args:
        target: the object.
        name: of the method.
        wrap: the function, of a module: called as ``wrap(method, target, *args, **kwargs)``.
    """
    own: Any = type(target)
    if _MARK not in vars(own):
        object.__setattr__(target, "__class__", _subclass(own, name, wrap))


@functools.cache
def _subclass(base: type, name: str, wrap: Wrap) -> type:
    original = getattr(base, name)

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrap(functools.partial(original, self), self, *args, **kwargs)

    # By name it is the SDK's class still: in messages, and for those who look at names as we do.
    own = {"__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
    return type(base)(base.__name__, (base,), {**own, name: method, _MARK: name})
