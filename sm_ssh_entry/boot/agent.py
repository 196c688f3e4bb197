"""The SSM agent: its configuration, its registration, its command line. Facts: protocol page, sections 2, 4 and 5."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sm_ssh_entry import command, contract
from sm_ssh_entry.boot import status
from sm_ssh_entry.boot.activation import Activation
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed, SmSshError, Throttled, ToolMissing, Unreachable

OFFICIAL = "/usr/bin/amazon-ssm-agent"
_OURS = "WrittenBy"
_MARK = "sm-ssh"
_MEMORY = "registration.json"
_REGISTER_TIMEOUT = 90.0
_REGISTER_TRIES = 4
_NEEDS_ROOT = "the SSM agent needs root"
# What a further try does not mend.
_FINAL = ("InvalidActivation", _NEEDS_ROOT)


def argv(setting: str) -> tuple[str, ...]:
    """Return the agent's command line.

    Args:
        setting: SM_SSH_AGENT; empty for the official agent. It must be started by its full path (protocol page, 5).

    Raises:
        SetupFailed: the setting is no command line.
    """
    try:
        words = tuple(shlex.split(setting))
    except ValueError as error:
        raise SetupFailed(f"{contract.AGENT} is no command line ({error})", hint="check its quotes") from error
    return words or (OFFICIAL,)


def check(words: tuple[str, ...]) -> None:
    """Make sure that the agent is there.

    Raises:
        ToolMissing: it is not.
    """
    if "/" in words[0] and not os.access(words[0], os.X_OK):
        name = Path(words[0]).name
        raise ToolMissing(f"no SSM agent in this image ({name} is missing)", hint="add the sm-ssh layer to the image")


def configuration(env: Mapping[str, str]) -> dict[str, Any]:
    """Return the agent's configuration for this container.

    The identity order spares it the search for EC2 and ECS metadata. Endpoints follow the job's AWS variables.

    Args:
        env: the job's environment.
    """
    config: dict[str, Any] = {
        _OURS: _MARK,
        "Identity": {"ConsumptionOrder": ["OnPrem"]},
        # Orders to start a session that wait their turn. The agent's own default is 1: many logins at once then wait a
        # second each, and after a few tries it loses orders (seen running 3.3.1142.0).
        "Mgs": {"SessionWorkerBufferLimit": 200},
    }
    general = env.get("AWS_ENDPOINT_URL", "")
    if ssm := env.get("AWS_ENDPOINT_URL_SSM") or general:
        config["Ssm"] = {"Endpoint": ssm}
        config["Mds"] = {"Endpoint": env.get("AWS_ENDPOINT_URL_EC2MESSAGES") or ssm}
    if gateway := env.get(contract.MGS_ENDPOINT) or env.get("AWS_ENDPOINT_URL_SSMMESSAGES"):
        # The agent takes host and port from it and forces https, but does not parse it without a scheme.
        config["Mgs"]["Endpoint"] = gateway if "://" in gateway else f"https://{gateway}"
    if s3 := env.get("AWS_ENDPOINT_URL_S3") or general:
        config["S3"] = {"Endpoint": s3}
    return config


def configure(paths: Paths, env: Mapping[str, str]) -> bool:
    """Write the agent's configuration where there is none, or an earlier one of ours; return whether it was written.

    Args:
        paths: where the container keeps its files.
        env: the job's environment.

    Raises:
        SetupFailed: it cannot be written.
    """
    file = paths.agent_config
    try:
        present = json.loads(file.read_bytes())
        if not (isinstance(present, dict) and present.get(_OURS) == _MARK):
            return False
    except FileNotFoundError:
        pass
    except (OSError, ValueError):
        return False
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        status.write_private(file, json.dumps(configuration(env), indent=1).encode() + b"\n")
    except OSError as error:
        hint = "the agent needs a writable /etc/amazon/ssm"
        raise SetupFailed(f"cannot write {file} ({error.strerror})", hint=hint) from error
    return True


def without_commands(paths: Paths) -> str:
    """Say why Run Command cannot work here though the agent can; empty where nothing is in its way.

    The official agent executes its script files themselves (seen running 3.3.1142.0).

    Args:
        paths: where the container keeps its files.
    """
    try:
        if not os.statvfs(paths.ssm_state).f_flag & os.ST_NOEXEC:
            return ""
    except OSError:
        return ""
    hint = f"mount it with exec, or set {contract.SSH_AUTHORIZED_KEYS}"
    return f"{paths.ssm_state} is mounted noexec: no Run Command, by which keys come (hint: {hint})"


def machine() -> str:
    """Return what tells this container from a copy of its file system somewhere else."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return hashlib.sha256(f"{boot}/{socket.gethostname()}".encode()).hexdigest()[:16]


def registered(paths: Paths) -> str:
    """Return the node id in the agent's registration file; empty where there is none.

    Args:
        paths: where the container keeps its files.
    """
    try:
        found = json.loads(paths.registration.read_bytes())
        node = str(found["ManagedInstanceID"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return node if re.fullmatch(contract.NODE_ID_PATTERN, node) else ""


def remember(paths: Paths, node: str, region: str) -> str:
    """Write down which registration is this container's own; return its region.

    Args:
        paths: where the container keeps its files.
        node: the managed node's id.
        region: its region; empty: as written down before.
    """
    region = region or str(_remembered(paths).get("region", ""))
    text = json.dumps({"node_id": node, "region": region, "machine": machine()})
    status.write_private(paths.run / _MEMORY, text.encode())
    return region


def forget(paths: Paths) -> None:
    """Forget the registration: it was taken back."""
    (paths.run / _MEMORY).unlink(missing_ok=True)


def _remembered(paths: Paths) -> dict[str, Any]:
    try:
        found = json.loads((paths.run / _MEMORY).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def working_registration(paths: Paths) -> str:
    """Return the node id of a registration that this very container made in an earlier start; empty where none works.

    One that came with the image or with a copied file system is not ours: two nodes would share one identity. One whose
    private key is gone does not work, though the plain file still names the node (protocol page, 2.2).

    Args:
        paths: where the container keeps its files.
    """
    node = registered(paths)
    previous = _remembered(paths)
    if not node or previous.get("node_id") != node or previous.get("machine") != machine():
        return ""
    vault = paths.ssm_state / "Vault" / "Store" / "RegistrationKey"
    try:
        key = json.loads(vault.read_bytes())
        return node if isinstance(key, dict) and key.get("instanceID", node) == node else ""
    except (OSError, ValueError):
        return ""


def register(words: tuple[str, ...], activation: Activation, env: Mapping[str, str], paths: Paths) -> str:
    """Run ``agent -register`` once; return the node id.

    The code stands in the arguments of that one process, as the official agent takes it no other way; it works once,
    and is used up when we log anything.

    Args:
        words: the agent's command line.
        activation: what to register with.
        env: clean environment of the services.
        paths: where the container keeps its files.

    Raises:
        Throttled, Unreachable: it may work later.
        SetupFailed: it will not.
    """
    # -y: a registration that is there was judged not to work, see above.
    flags = ["-register", "-code", activation.code, "-id", activation.activation_id, "-region", activation.region, "-y"]
    if words == (OFFICIAL,):
        # A container's address changes with a restart; the agent would take itself for another machine.
        flags.append("-disableSimilarityCheck")
    done = command.run([*words, *flags], env=env, timeout=_REGISTER_TIMEOUT)
    node = registered(paths)
    if done.ok and node:
        return node
    text = f"{done.stdout}\n{done.stderr}".replace(activation.code, "***")
    if re.search(r"throttl|rate exceeded|TooManyUpdates|TooManyRequests", text, re.IGNORECASE):
        raise Throttled("the agent's registration is throttled", hint="start fewer nodes at a time")
    if re.search(
        r"connection refused|no such host|i/o timeout|dial tcp|does not answer|unreachable", text, re.IGNORECASE
    ):
        hint = "a job in a VPC needs the interface endpoints ssm and ssmmessages, or a NAT gateway"
        raise Unreachable("the agent cannot reach the SSM endpoint to register", hint=hint)
    if os.geteuid() and "permission denied" in text.lower():
        # The official one (3.3.1142.0) makes folders without the right to enter them, which stops everybody but root.
        hint = "run the container as root: sshd alone does not make it reachable"
        raise SetupFailed(f"{_NEEDS_ROOT} and this container runs as user {os.geteuid()}", hint=hint)
    raise SetupFailed(
        f"the agent could not register (status {done.returncode}): {_reason(text)}",
        hint=f"see {paths.run / 'log'} and the agent's own log",
    )


def _reason(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"error|fail|invalid|denied", line, re.IGNORECASE)] or lines
    return telling[-1][:200] if telling else "it said nothing"


def register_patiently(attempt: Callable[[], str], pause: Callable[[int], None]) -> str:
    """Try the registration a few times; failures other than throttling are often the start of the network.

    Args:
        attempt: registers once.
        pause: waits before a further try, given the number of tries so far.

    Raises:
        SmSshError: the last failure.
    """
    for tries in range(1, _REGISTER_TRIES):
        try:
            return attempt()
        except (Throttled, Unreachable, ToolMissing):
            raise
        except SmSshError as error:
            if any(word in error.message for word in _FINAL):
                raise
            pause(tries)
    return attempt()
