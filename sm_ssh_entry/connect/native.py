"""SageMaker's own ways in, where the resource has them switched on: the agent is SageMaker's, and no node registers.

    training   RemoteDebugConfig.EnableRemoteDebug   sagemaker-training-job:<job>_algo-<n>
    inference  ProductionVariant.EnableSSMAccess     sagemaker-endpoint:<endpoint>_<variant>_<instance>
    hyperpod   always                                sagemaker-cluster:<cluster id>_<group>-<instance>
    studio     SpaceSettings.RemoteAccess            sagemaker:StartSession with the space's ARN, whose stream is SSH

There are no tags there. What a job's description says of port and keys stands in their place, and ``registered`` is
when the container began, as far as SageMaker says: a job that was interrupted comes back under the same target.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect import hostkeys, jobs, names, nodes
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import AccessDenied, BadInput, NotFound, NotRegistered, ServiceError, SmSshError

#: Kinds that have a way of SageMaker's own.
KINDS = frozenset({"training", "inference", "hyperpod", "studio"})
_TRAINING = "Training"
_TRIED = 5


def find(access: Access, target: Target, index: int = 0) -> Node | None:
    """Find SageMaker's own way to what a name means.

    Args:
        access: account and region.
        target: parsed name.
        index: which of several containers, 1 is the newest; 0: not said.

    Returns:
        What stands for a node: its id is the target of StartSession. None: SageMaker knows no such resource.

    Raises:
        NotFound: there is no such part of it.
        NotRegistered: the way is switched off, or the resource does not run.
        Ambiguous: the name means several.
        BadInput: this kind has no such way.
    """
    if target.kind == "training":
        return _training(access, target)
    if target.kind == "inference":
        return _endpoint(access, target, index)
    if target.kind == "hyperpod":
        from sm_ssh_entry.connect import hyperpod

        return hyperpod.find(access, target)
    if target.kind == "studio":
        from sm_ssh_entry.connect import studio

        return studio.find(access, target)
    raise BadInput(
        f"{target.host}: SageMaker has no way of its own into {jobs.noun(target)}s",
        hint="leave --via away, or --via hybrid",
    )


def job_node(target: Target, described: Mapping[str, Any] | None) -> Node:
    """Return what stands for a training job's node.

    Args:
        target: name of a training job.
        described: answer of DescribeTrainingJob; None: it may not be asked for.

    Raises:
        NotRegistered: remote debug is off, or the job is not training.
        NotFound: the job has not so many nodes.
    """
    label = target.node or "algo-1"
    said = described or {}
    if described is not None:
        _check_training(target, described)
        check_number(target, described)
    variables = said.get("Environment") or {}
    began = [step.get("StartTime") for step in said.get("SecondaryStatusTransitions") or () if _is_training(step)]
    return Node(
        f"sagemaker-training-job:{target.resource}_{label}",
        ping=nodes.ONLINE,
        registered=began[-1] if began else said.get("TrainingStartTime"),
        kind=target.kind,
        resource=target.resource,
        label=label,
        tags=_tags(variables),
    )


def check_number(target: Target, described: Mapping[str, Any]) -> None:
    """Raise NotFound where a job has not so many nodes as the name's label counts.

    Args:
        target: name of a job.
        described: how SageMaker describes it.
    """
    count = jobs.node_count(described)
    if target.node and count and names.rank(target.node) > count:
        have = "one node, algo-1" if count == 1 else f"{count} nodes, algo-1 to algo-{count}"
        raise NotFound(
            f"{jobs.noun(target)} {target.resource} has {have}; there is no {target.node}",
            hint="they are called algo-1, algo-2 and so on",
        )


def _training(access: Access, target: Target) -> Node | None:
    described = None
    try:
        described = jobs.answer_about(access.client("sagemaker"), target)
    except AccessDenied:  # the session may be allowed all the same; StartSession says
        return job_node(target, None)
    return job_node(target, described) if described is not None else None


def _check_training(target: Target, described: Mapping[str, Any]) -> None:
    job, status = target.resource, described.get("TrainingJobStatus")
    if status != "InProgress":
        raise NotRegistered(f"training job {job} has ended ({status})", hint="its containers are gone")
    if not (described.get("RemoteDebugConfig") or {}).get("EnableRemoteDebug"):
        raise NotRegistered(
            f"remote debug is off for training job {job}",
            hint=f"aws sagemaker update-training-job --training-job-name {job} --remote-debug-config "
            "EnableRemoteDebug=true while it downloads or trains, or at submission",
        )
    detail = described.get("SecondaryStatus")
    if detail != _TRAINING:
        raise NotRegistered(
            f"training job {job} is {status}, {detail}: SageMaker's own way opens when it is {_TRAINING}",
            hint="try again when it is",
        )


def _is_training(step: Mapping[str, Any]) -> bool:
    return bool(step.get("Status") == _TRAINING and step.get("StartTime"))


def _tags(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that a node of ours would have got from the job's environment: port and keys."""
    prints = []
    for key in variables.get(contract.SSH_AUTHORIZED_KEYS, "").split(","):
        try:
            prints.append(hostkeys.fingerprint(key))
        except BadInput:
            continue
    found = {contract.TAG_PORT: variables.get(contract.SSH_PORT, ""), contract.TAG_KEY_FINGERPRINTS: " ".join(prints)}
    return {key: value for key, value in found.items() if value}


def _endpoint(access: Access, target: Target, index: int) -> Node | None:
    from sm_ssh_entry.connect import endpoints

    sagemaker = access.client("sagemaker")
    described = jobs.called(sagemaker, "DescribeEndpoint", EndpointName=target.resource)
    if described is None:
        return None
    every = endpoints.variants_of(sagemaker, described)
    chosen = [one for one in every if one["VariantName"] == target.node]
    if not chosen and target.node.isdigit():
        index, chosen = index or int(target.node), every
    elif not target.node:
        chosen = every
    if not chosen:
        there = ", ".join(str(one["VariantName"]) for one in every[:_TRIED]) or "none"
        raise NotFound(
            f"endpoint {target.resource} has no variant {target.node}",
            hint=f"its variants: {there}; inference components have no way of SageMaker's own",
        )
    switched_on = [str(one["VariantName"]) for one in chosen if one.get("EnableSSMAccess")]
    if not switched_on:
        raise NotRegistered(
            f"SSM access is off for {target.host}",
            hint="set EnableSSMAccess in the variant of the endpoint's configuration; AWS support must allow it",
        )
    found = _instances(access, target.resource, switched_on)
    if not found:
        raise NotRegistered(
            f"{target.host}: no instance has logged that its SSM access is there",
            hint="it needs some minutes; AWS support has to allow the account first",
        )
    if index:
        node = nodes.numbered(found, index, target)
    else:
        ssm = access.client("ssm")
        tried = found[:_TRIED] if len(found) > 1 else []
        node = next((one for one in tried if nodes.is_connected(ssm, one)), found[0])
    models = {str(one["VariantName"]): str(one.get("ModelName", "")) for one in chosen}
    return replace(node, tags=_tags(_variables(sagemaker, models[node.label])))


def _variables(sagemaker: Any, model: str) -> Mapping[str, str]:
    """Return a model's environment as far as it may be asked for: that of its first container."""
    described: Mapping[str, Any] | None = None
    if model:
        with contextlib.suppress(AccessDenied):
            described = jobs.called(sagemaker, "DescribeModel", ModelName=model)
    said = described or {}
    containers = [said.get("PrimaryContainer") or {}, *(said.get("Containers") or ())]
    return next((one["Environment"] for one in containers if one.get("Environment")), {})


def _instances(access: Access, endpoint: str, variants: list[str]) -> list[Node]:
    """Return a variant's instances, newest first: they are known from the names of their log streams alone."""
    logs = access.client("logs")
    found: list[tuple[int, Node]] = []
    for variant in variants:
        token: dict[str, str] = {}
        while True:
            try:
                with aws.errors_of(action="logs:DescribeLogStreams"):
                    page = logs.describe_log_streams(
                        logGroupName=f"/aws/sagemaker/Endpoints/{endpoint}", logStreamNamePrefix=f"{variant}/", **token
                    )
            except ServiceError as error:
                if error.code != "ResourceNotFoundException":
                    raise
                break
            for stream in page.get("logStreams", ()):
                words = str(stream["logStreamName"]).split("/")
                if len(words) == 3 and words[2] == "ssm":
                    name = f"sagemaker-endpoint:{endpoint}_{variant}_{words[1]}"
                    node = Node(name, ping=nodes.ONLINE, kind="inference", resource=endpoint, label=variant, tags={})
                    found.append((int(stream.get("creationTime", 0)), node))
            if not page.get("nextToken"):
                break
            token = {"nextToken": page["nextToken"]}
    return [node for _, node in sorted(found, key=lambda pair: (-pair[0], pair[1].node_id))]


def refused_document(error: SmSshError) -> bool:
    """Whether StartSession may have refused the document, not the target.

    Args:
        error: what it raised.
    """
    codes = {"InvalidDocument", "InvalidTarget", "ValidationException", "BadRequestException"}
    return isinstance(error, AccessDenied) or (isinstance(error, ServiceError) and error.code in codes)
