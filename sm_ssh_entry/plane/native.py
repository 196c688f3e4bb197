"""SageMaker's own ways in: the agent that it starts in a container itself, and what StartSession calls that.

    sagemaker-training-job:<job>_algo-<n>                   with RemoteDebugConfig.EnableRemoteDebug, while it trains
    sagemaker-endpoint:<endpoint>_<variant>_<instance>      with EnableSSMAccess in the variant
    sagemaker-cluster:<cluster id>_<group>-<instance>       every instance of a HyperPod cluster
    arn:…:space/<domain>/<space>                            for sagemaker:StartSession: see studio

Such a node is no managed node: it needs no tier, is in no listing and takes no Run Command. Contract page, section 3.
The agent itself registers as any other here, with an activation that names its target and that nobody else sees.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import uuid
from typing import Any

from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.kinds import ROLE
from sm_ssh_entry.plane.sagemaker_records import backend
from sm_ssh_entry.plane.store import Activation, Node, Store

TRAINING, ENDPOINT, CLUSTER = "sagemaker-training-job:", "sagemaker-endpoint:", "sagemaker-cluster:"
# The port of a space's sshd, which its session leads to; SageMaker knows its own.
TAG_PORT = "port"
_SPACE = re.compile(r"arn:[a-z-]+:sagemaker:[a-z0-9-]+:\d{12}:space/[A-Za-z0-9-]+/[A-Za-z0-9-]+")
_LIFETIME = 86_400.0
# Nodes of one target: a job's agent may be started again.
_REGISTRATIONS = 1000


def is_target(target: str) -> bool:
    """Whether StartSession's target is one of SageMaker's own rather than a node's id.

    Args:
        target: as given.
    """
    return target.startswith((TRAINING, ENDPOINT, CLUSTER))


def activate(store: Store, target: str, region: str, *, port: int = 22) -> Activation:
    """Make what SageMaker's own agent registers with.

    Args:
        store: the plane's state.
        target: what its node will be called: a target, or a space's ARN.
        region: its region.
        port: of the sshd beside it.

    Raises:
        AwsError: ValidationException, for what cannot be a target.
    """
    if not (is_target(target) or _SPACE.fullmatch(target)):
        raise AwsError("ValidationException", f"'{target}' names no container of SageMaker's.")
    now = store.clock()
    made = Activation(
        activation_id=str(uuid.uuid4()),
        code=secrets.token_hex(10),
        region=region,
        iam_role=ROLE,
        created=now,
        expires=now + _LIFETIME,
        registration_limit=_REGISTRATIONS,
        tags={TAG_PORT: str(port)},
        target=target,
    )
    store.activations[made.activation_id] = made
    return made


async def connected(store: Store, target: str, region: str) -> Node | None:
    """Return the node behind a target, if a session to it could be opened now.

    Args:
        store: the plane's state.
        target: one of SageMaker's own.
        region: the caller's.
    """
    node = store.nodes.native(target, region)
    if node is None or node.control is None:
        return None
    return node if await asyncio.to_thread(_is_open, store, target, region) else None


def _is_open(store: Store, target: str, region: str) -> bool:
    there = backend(store, region)
    kind, _, rest = target.partition(":")
    if f"{kind}:" == TRAINING:
        job = there.training_jobs.get(rest.rpartition("_")[0])
        return job is not None and job.secondary_status == "Training" and _on(getattr(job, "remote_debug_config", None))
    words = rest.split("_")
    if f"{kind}:" == ENDPOINT:
        endpoint = there.endpoints.get(words[0])
        config = there.endpoint_configs.get(endpoint.endpoint_config_name) if endpoint is not None else None
        variants = [] if config is None else _variants(config)
        chosen = [one for one in variants if words[1:2] == [one["VariantName"]]]
        in_service = endpoint is not None and endpoint.endpoint_status in {"InService", "Updating"}
        return in_service and any(one.get("EnableSSMAccess") is True for one in chosen)
    cluster = next((one for one in list(there.clusters.values()) if one.arn.rpartition("/")[2] == words[0]), None)
    instances = [] if cluster is None else list(cluster.nodes.values())
    return "_".join(words[1:]) in {f"{one.instance_group_name}-{one.instance_id}" for one in instances}


def _variants(config: Any) -> list[dict[str, Any]]:
    return [*config.production_variants, *(getattr(config, "shadow_production_variants", None) or ())]


def _on(remote_debug: dict[str, Any] | None) -> bool:
    return bool(remote_debug and remote_debug.get("EnableRemoteDebug") is True)
