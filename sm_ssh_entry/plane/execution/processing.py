"""A processing job: inputs from S3 to where the request wants them, its containers, outputs to S3, its exit message."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from sm_ssh_entry.plane import running
from sm_ssh_entry.plane.execution import node_files, reasons, sources
from sm_ssh_entry.plane.execution.processing_outputs import Output, Outputs
from sm_ssh_entry.plane.execution.work import GONE, OVERTIME, Failed, Work
from sm_ssh_entry.plane.jobs import Job
from sm_ssh_entry.plane.local_job import Place

# All inputs and outputs are below it (contract page, section 1.5).
_ROOT = PurePosixPath("/opt/ml/processing")
# The service keeps this much of /opt/ml/output/message, of all nodes together.
_MESSAGE_BYTES = 1024
_MESSAGE = PurePosixPath("opt/ml/output/message")
# The service's own, where a request names no limit.
_MOST_SECONDS = 86400


def run(work: Work) -> None:
    """Run a processing job to its end.

    Args:
        work: its order.

    Raises:
        Failed: it failed before its containers ran.
        Stopped: it was stopped before they did.
    """
    request = work.order.request
    isolated = bool((request.get("NetworkConfig") or {}).get("EnableNetworkIsolation"))
    box = work.box(request["AppSpecification"]["ImageUri"], isolated=isolated) if work.in_containers() else None
    job = _job(work)
    if box is None and not (job.entrypoint or job.argv):
        raise Failed(
            "ClientError: without a container engine a processing job needs AppSpecification.ContainerEntrypoint"
        )
    inputs = [(one, _inside(one["S3Input"])) for one in request.get("ProcessingInputs") or () if _managed(one)]
    outputs = [
        Output(_inside(one["S3Output"]), one["S3Output"]["S3Uri"], one["S3Output"]["S3UploadMode"] == "Continuous")
        for one in (request.get("ProcessingOutputConfig") or {}).get("Outputs", ())
        if _written(one)
    ]
    place = work.place(job)
    for one, path in inputs:
        _fetch(work, place, one["S3Input"], path)
    for node in job.node_names:
        for output in outputs:
            (place.job.root(node) / output.path).mkdir(parents=True, exist_ok=True)
    work.check()
    work.note(work.status, secondary="Running")
    work.limit((request.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", _MOST_SECONDS))
    with Outputs(work.s3, outputs, [place.job.root(node) for node in job.node_names], work.say) as uploads:
        end = work.run(place, box)
        work.unlimit()
        if work.stopping != GONE:
            uploads.finish(all_of_them=not end.status and not end.stopped)
    _close(work, place, end)


def _job(work: Work) -> Job:
    request = work.order.request
    app = request["AppSpecification"]
    return Job(
        name=work.order.name,
        argv=tuple(app.get("ContainerArguments") or ()),
        entrypoint=tuple(app.get("ContainerEntrypoint") or ()),
        folder=work.folder(),
        kind="processing",
        nodes=_nodes(request["ProcessingResources"]["ClusterConfig"]),
        environment=request.get("Environment") or {},
        submitted=True,
        request=request,
    )


def _nodes(cluster: Mapping[str, Any]) -> int:
    # Of several preferences the service takes the first that it has; here there are all.
    preferred = (cluster.get("InstancePreferences") or [{}])[0]
    return int(cluster.get("InstanceCount") or preferred.get("InstanceCount") or 1)


def _managed(one: Mapping[str, Any]) -> bool:
    """Say whether an input is a download; refuse what is not done here rather than leave it out."""
    name = one.get("InputName", "")
    if one.get("AppManaged"):
        # The program reads it by itself; the service does nothing either.
        return False
    if "DatasetDefinition" in one:
        raise Failed(f"ClientError: input {name}: the local plane has neither Athena nor Redshift (DatasetDefinition)")
    source = one.get("S3Input")
    if source is None:
        raise Failed(f"ClientError: Input {name} must have S3Input or DatasetDefinition")
    missing = [member for member in ("LocalPath", "S3InputMode") if not source.get(member)]
    if missing:
        listed = ", ".join(f'"{member}"' for member in missing)
        raise Failed(
            f"ClientError: Input {name} missing one or more required fields for SageMaker-managed S3Input: {listed}"
        )
    if source["S3InputMode"] != "File":
        mode = source["S3InputMode"]
        raise Failed(f"ClientError: input {name}: the local plane has no S3InputMode {mode}; File works in both places")
    if source.get("S3CompressionType", "None") != "None":
        raise Failed(f"ClientError: input {name}: S3CompressionType Gzip is for S3InputMode Pipe only")
    return True


def _written(one: Mapping[str, Any]) -> bool:
    """Say whether an output is an upload."""
    name = one.get("OutputName", "")
    if one.get("AppManaged"):
        return False
    if "FeatureStoreOutput" in one:
        raise Failed(f"ClientError: output {name}: the local plane has no Feature Store (FeatureStoreOutput)")
    if not (one.get("S3Output") or {}).get("LocalPath"):
        raise Failed(f'ClientError: Output {name} missing one or more required fields: "S3Output", "LocalPath"')
    return True


def _inside(member: Mapping[str, Any]) -> PurePosixPath:
    """Return where a LocalPath is below a node's root.

    Raises:
        Failed: it is not below /opt/ml/processing.
    """
    path = PurePosixPath(member["LocalPath"])
    if _ROOT not in path.parents or ".." in path.parts:
        raise Failed(f"ClientError: LocalPath {path} must be below {_ROOT}")
    return path.relative_to("/")


def _fetch(work: Work, place: Place, source: Mapping[str, Any], path: PurePosixPath) -> None:
    items = sources.listed(work.s3, source["S3Uri"], source["S3DataType"])
    nodes = place.job.node_names
    shared = source.get("S3DataDistributionType") == sources.SHARDED
    for node, theirs in (sources.share(items, nodes) if shared else dict.fromkeys(nodes, items)).items():
        sources.fetch(work.s3, theirs, place.job.root(node) / path)


def _close(work: Work, place: Place, end: running.End) -> None:
    message, legible = _message([place.job.root(node) for node in place.job.node_names])
    members = {"ExitMessage": message} if message else {}
    if end.stopped:
        if work.stopping == OVERTIME:
            work.say("stopped: MaxRuntimeInSeconds is over")
        work.note("Stopped", **members)
    elif end.status and end.out_of_memory:
        work.note("Failed", failure=reasons.OUT_OF_MEMORY, **members)
    elif end.status:
        reason = "AlgorithmError: See job logs for more information"
        work.note("Failed", failure=reason, **members)
    elif not legible:
        work.note("Failed", failure="ClientError: /opt/ml/output/message is not UTF-8", **members)
    else:
        work.note("Completed", **members)


def _message(roots: list[Path]) -> tuple[str, bool]:
    """Return the exit message of all nodes, and whether each of them was UTF-8."""
    whole, legible = "", True
    for root in roots:
        content = node_files.read(root, _MESSAGE, _MESSAGE_BYTES)
        if content is None:
            continue
        try:
            # The cut may be inside a character.
            whole += codecs.getincrementaldecoder("utf-8")().decode(content)
        except UnicodeDecodeError:
            legible = False
    return whole.encode()[:_MESSAGE_BYTES].decode(errors="ignore"), legible
