"""The agents that SageMaker starts itself, for jobs that run as processes: one beside each node, ended with the job."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sm_ssh_entry import command, contract
from sm_ssh_entry.errors import SetupFailed
from sm_ssh_entry.plane import daemon
from sm_ssh_entry.plane.cell import KILL

_REGISTER_SECONDS = 30.0


@contextlib.contextmanager
def running(
    state: daemon.State, targets: Mapping[str, str], port: int, *, agent: Sequence[str], environment: Mapping[str, str]
) -> Iterator[None]:
    """Have agents registered and running for the block.

    Args:
        state: the plane.
        targets: root folder of an agent -> what its node is called.
        port: of the sshd beside them.
        agent: the agent's command line.
        environment: the variables that make an AWS client use the plane, with what a process needs.

    Raises:
        SetupFailed: an agent does not register.
    """
    with contextlib.ExitStack() as started:
        for root, target in targets.items():
            env = {**environment, contract.ROOT: root}
            params = {"target": target, "region": state.region, "port": port}
            made = daemon.ask(state, "POST", "native", params)
            flags = ["-register", "-code", made["activation_code"], "-id", made["activation_id"]]
            done = command.run([*agent, *flags, "-region", state.region, "-y"], env=env, timeout=_REGISTER_SECONDS)
            if not done.ok:
                raise SetupFailed(f"SageMaker's own agent for {target} did not register: {done.stderr.strip()}")
            started.enter_context(_agent(agent, env, root))
        yield


@contextlib.contextmanager
def _agent(agent: Sequence[str], env: Mapping[str, str], root: str) -> Iterator[None]:
    # In a cell, so that it ends with us however we end, and all that its sessions have started with it.
    words = [sys.executable, "-I", "-m", "sm_ssh_entry.plane.cell", *agent]
    with (Path(root) / "agent.log").open("ab") as log:
        cell = command.spawn(words, env=env, stdout=log, stderr=log, new_session=True)
    try:
        yield
    finally:
        cell.send_signal(KILL)
        cell.wait()
