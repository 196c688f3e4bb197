"""What the user asked for: the contract's variables, parsed once, with a complaint for each that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput

_DEFAULT_INSTANCE_COUNT = 2
_PORT_MAX = 65535


class OnError(str, Enum):
    """What a failed set-up means for the job."""

    CONTINUE = "continue"
    FAIL = "fail"


class Settings(NamedTuple):
    """The contract's variables as values. Times are seconds; 0 switches the feature off.

    ``problems`` has one complaint for each variable that could not be understood; its default holds instead.
    """

    role: str = ""
    owner: str = ""
    wait: float = 0.0
    instance_count: int = _DEFAULT_INSTANCE_COUNT
    authorized_keys: tuple[str, ...] = ()
    session_id: str = ""
    on_error: OnError = OnError.CONTINUE
    hold_on_failure: float = 0.0
    idle_timeout: float = 0.0
    deregister_on_exit: bool = False
    port: int | None = None
    root: str = ""
    agent: str = ""
    problems: tuple[BadInput, ...] = ()

    @property
    def stays(self) -> bool:
        """Whether our process outlives the start of the user's command (init mode)."""
        return bool(self.hold_on_failure or self.idle_timeout or self.deregister_on_exit)

    @property
    def fails(self) -> bool:
        """Whether a failed set-up fails the job."""
        return self.on_error is OnError.FAIL


def read(env: Mapping[str, str]) -> Settings:
    """Parse the contract's variables.

    Args:
        env: the job's environment.
    """
    problems: list[BadInput] = []

    def number(name: str, default: float, *, whole: bool = False, high: float = 30 * 86400.0) -> float:
        value = env.get(name, "").strip()
        if not value:
            return default
        try:
            parsed = float(int(value)) if whole else float(value)
        except ValueError:
            parsed = -1.0
        if not 0 <= parsed <= high:
            kind = "a whole number" if whole else "a number of seconds"
            problems.append(BadInput(f"{name} is not {kind} from 0 to {high:g}", hint=f"{default:g} is used instead"))
            return default
        return parsed

    def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = env.get(name, "").strip().lower() or default
        if value not in allowed:
            problems.append(BadInput(f"{name} is not {' or '.join(allowed)}", hint=f"{default} is used instead"))
            return default
        return value

    port = int(number(contract.SSH_PORT, 0, whole=True, high=_PORT_MAX))
    keys = tuple(key.strip() for key in env.get(contract.SSH_AUTHORIZED_KEYS, "").split(",") if key.strip())
    return Settings(
        role=env.get(contract.SSH_SSM_ROLE, "").strip(),
        owner=env.get(contract.SSH_OWNER_TAG, "").strip(),
        wait=number(contract.SSH_WAIT_TIME_SECONDS, 0.0),
        instance_count=int(number(contract.SSH_INSTANCE_COUNT, _DEFAULT_INSTANCE_COUNT, whole=True, high=10_000)),
        authorized_keys=keys,
        session_id=env.get(contract.SSH_SESSION_ID, "").strip(),
        on_error=OnError(choice(contract.SSH_ON_ERROR, "continue", ("continue", "fail"))),
        hold_on_failure=number(contract.SSH_HOLD_ON_FAILURE_SECONDS, 0.0),
        idle_timeout=number(contract.SSH_IDLE_TIMEOUT_SECONDS, 0.0),
        deregister_on_exit=choice(contract.SSH_DEREGISTER_ON_EXIT, "false", ("true", "false")) == "true",
        port=port or None,
        root=env.get(contract.ROOT, ""),
        agent=env.get(contract.AGENT, "").strip(),
        problems=tuple(problems),
    )
