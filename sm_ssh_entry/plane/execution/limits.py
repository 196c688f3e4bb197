"""What a container of a submitted job may take of this machine: no instance type says it, the plane's environment does.

SM_SSH_LOCAL_MEMORY=4g SM_SSH_LOCAL_CPUS=2 SM_SSH_LOCAL_SHM_SIZE=1g SM_SSH_LOCAL_GPUS=all sm-ssh local up
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.plane import containers
from sm_ssh_entry.plane.containers import Box


def box(image: str, environment: Mapping[str, str], **more: Any) -> Box:
    """Return what containers of an image are.

    Args:
        image: its name.
        environment: the plane's.
        more: further members of a ``Box``.

    Raises:
        BadInput: a limit or the name is malformed.
    """
    cpus = environment.get(contract.LOCAL_CPUS, "")
    try:
        processors = float(cpus) if cpus else None
    except ValueError as error:
        raise BadInput(f"{contract.LOCAL_CPUS}={cpus!r} is not a number") from error
    if processors is not None and not 0 < processors < float("inf"):
        raise BadInput(f"{contract.LOCAL_CPUS}={cpus!r} is no number of processors")
    made = Box(
        image,
        cpus=processors,
        memory=environment.get(contract.LOCAL_MEMORY, ""),
        shm_size=environment.get(contract.LOCAL_SHM_SIZE, ""),
        gpus=environment.get(contract.LOCAL_GPUS, ""),
        **more,
    )
    return containers.checked(made)
