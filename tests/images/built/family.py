"""Which images there are, and what each is made of: an image runs the tests of its ancestors too.

Names stand as bake gives them, without the registry: ``SM_SSH_IMAGES_REGISTRY`` is that prefix, and ``sm-ssh-test/`` is
what ``make test`` builds. Another prefix tests images that lie elsewhere, published ones for example.
"""

from __future__ import annotations

import os

REGISTRY = "SM_SSH_IMAGES_REGISTRY"

THIN_12 = "sm-ssh-base:debian-12-thin"
THIN_13 = "sm-ssh-base:debian-13-thin"
BASE_12 = "sm-ssh-base:debian-12"
BASE_13 = "sm-ssh-base:debian-13"
FREE_12 = "sm-ssh-base:debian-12-internet-free"
FREE_13 = "sm-ssh-base:debian-13-internet-free"
TRAINING = "sm-ssh-training:debian-12"
INFERENCE = "sm-ssh-inference:debian-12"
PROCESSING = "sm-ssh-processing:debian-12"
BYOC = "sm-ssh-byoc:debian-12"

# Image -> its parent; a full base is a thin one with the AWS CLI, built with a network or without one.
PARENTS = {
    THIN_12: "",
    THIN_13: "",
    BASE_12: THIN_12,
    BASE_13: THIN_13,
    FREE_12: THIN_12,
    FREE_13: THIN_13,
    TRAINING: BASE_12,
    INFERENCE: BASE_12,
    PROCESSING: BASE_12,
    BYOC: BASE_12,
}
ROOTS = tuple(name for name, parent in PARENTS.items() if not parent)
# What long tests run on: what they prove depends on the distribution, not on what lies upon it.
BASES = (BASE_12, BASE_13)


def ancestors(name: str) -> tuple[str, ...]:
    """Return an image and all that it is made of, itself first.

    Args:
        name: a key of the table.
    """
    parent = PARENTS[name]
    return (name, *(ancestors(parent) if parent else ()))


def family(*names: str) -> tuple[str, ...]:
    """Return some images and everything made of them, in the table's order.

    Args:
        names: keys of the table.
    """
    return tuple(one for one in PARENTS if set(names) & set(ancestors(one)))


def tag(name: str) -> str:
    """Return the full name under which the engine has an image.

    Args:
        name: a key of the table.
    """
    return os.environ.get(REGISTRY, "sm-ssh-test/") + name
