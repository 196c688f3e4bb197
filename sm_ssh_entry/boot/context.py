"""What a container can learn about itself: its kind, name, ARN, and its place among the nodes of its job.

Sources and their order are section 1.5 of the SageMaker contract page. Nothing here fails: a file that is missing,
malformed or surprising is reported once, and the next source is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_ssh_entry.contract import Paths

_SIZE_MAX = 4 << 20


@dataclass(frozen=True)
class Context:
    """One container's identity.

    Args:
        kind: one of contract.KINDS.
        name: the job's or app's name; empty for an endpoint, which cannot know it.
        arn: its ARN; empty where unknown.
        role_arn: the execution role, where a file names it (then with its path, which STS does not tell).
        host: this node's name, ``algo-1`` for one; empty where there is only one.
        hosts: all nodes in natural order, ``algo-2`` before ``algo-10``.
        problems: one line for each source that could not be read.
    """

    kind: str
    name: str = ""
    arn: str = ""
    role_arn: str = ""
    host: str = ""
    hosts: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """Place of this node, from 0. Heterogeneous groups count through, as ``hosts`` spans all of them."""
        return self.hosts.index(self.host) if self.host in self.hosts else 0

    @property
    def several_nodes(self) -> bool:
        """Whether the job has other nodes, which then may reach our sshd."""
        return len(self.hosts) > 1


def natural(name: str) -> list[tuple[bool, int, str]]:
    """Return a sort key in which numbers compare as numbers."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"([0-9]+)", name) if part]


def read(env: Mapping[str, str], paths: Paths, word: str = "") -> Context:
    """Find out what this container is.

    Args:
        env: the job's environment.
        paths: where SageMaker put its files.
        word: first word of the user's command, ``train`` or ``serve`` in SageMaker's own start.
    """
    problems: list[str] = []
    metadata = _load(paths.ml / "metadata" / "resource-metadata.json", problems)
    processing = _load(paths.ml / "config" / "processingjobconfig.json", problems)
    name = _text(metadata, "ResourceName")
    hosts: tuple[str, ...] = ()
    host = ""
    if name:
        found = _app(metadata, name)
    elif job := _text(processing, "ProcessingJobName"):
        arn, role = _text(processing, "ProcessingJobArn"), _text(processing, "RoleArn")
        found = Context("processing", job, arn, role)
        host, hosts = _cluster(paths.ml / "config" / "resourceconfig.json", problems)
    elif env.get("TRAINING_JOB_NAME") or word == "train":
        found = Context("training", env.get("TRAINING_JOB_NAME", ""), env.get("TRAINING_JOB_ARN", ""))
        host, hosts = _cluster(paths.ml / "input" / "config" / "resourceconfig.json", problems)
    elif (arn := env.get("TRANSFORM_JOB_ARN", "")) or env.get("SAGEMAKER_BATCH") == "true":
        found = Context("transform", arn.rpartition("/")[2], arn)
    else:
        # No name in the environment or in files: an endpoint, which the session id in its tags identifies.
        found = Context("inference")
    return Context(found.kind, found.name, found.arn, found.role_arn, host, hosts, tuple(problems))


def _app(metadata: dict[str, Any], name: str) -> Context:
    arn = _text(metadata, "ResourceArn")
    domain = _text(metadata, "DomainId")
    if not (domain or _text(metadata, "AppType")):
        return Context("notebook", name, arn)
    # Every space calls its app "default": only space (or user profile) and domain make the name one of a kind.
    space = _text(metadata, "SpaceName") or _text(metadata, "UserProfileName")
    full = ".".join(part for part in (name, space, domain) if part)
    return Context("studio", full, arn, _text(metadata, "ExecutionRoleArn"))


def _cluster(path: Path, problems: list[str]) -> tuple[str, tuple[str, ...]]:
    config = _load(path, problems)
    host = _text(config, "current_host")
    listed = config.get("hosts", [])
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        problems.append(f"{path} has no list of host names; taking this node for the only one")
        listed = []
    hosts = tuple(sorted(set(listed), key=natural))
    if host and hosts and host not in hosts:
        problems.append(f"{path} does not list its own current_host; taking this node for the first one")
    return host, hosts


def _load(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        if path.stat().st_size > _SIZE_MAX:
            raise ValueError("too large")
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict):
            raise TypeError("not an object")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, TypeError, RecursionError) as error:
        problems.append(f"cannot read {path} ({type(error).__name__}); going on without it")
        return {}
    return found


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else ""
