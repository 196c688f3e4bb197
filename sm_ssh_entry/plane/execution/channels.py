"""A training job's input channels: which objects belong to which node, and how its container finds them.

File: copies below /opt/ml, the node's own. FastFile: the same files in a read-only mount; they are downloaded before
the job starts, where the service fetches each when it is first read. Pipe and file systems are refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sm_ssh_entry.plane.execution import reasons, sources, storage
from sm_ssh_entry.plane.execution.sources import MANIFEST, PREFIX, SHARDED, Item
from sm_ssh_entry.plane.execution.work import Failed, Work
from sm_ssh_entry.plane.jobs import CHANNEL_PATTERN
from sm_ssh_entry.plane.local_job import Place
from sm_ssh_entry.plane.opt_ml import InstanceGroup

FILE, FAST_FILE = "File", "FastFile"


@dataclass(frozen=True)
class Channel:
    """One input channel of a request.

    Args:
        name: its name.
        mode: ``File`` or ``FastFile``.
        uri: a prefix, an object, or a manifest.
        manifest: whether it is a manifest.
        sharded: whether each node has a share of the objects rather than all.
        groups: the instance groups that have it; ``()``: all.
        settings: what inputdataconfig.json says of it.
    """

    name: str
    mode: str
    uri: str
    manifest: bool
    sharded: bool
    groups: tuple[str, ...]
    settings: Mapping[str, str]


def read(request: Mapping[str, Any]) -> list[Channel]:
    """Return the channels of a request.

    Args:
        request: a CreateTrainingJob request.

    Raises:
        Failed: one of them is none that the plane has.
    """
    default = request["AlgorithmSpecification"].get("TrainingInputMode", FILE)
    return [_channel(one, default) for one in request.get("InputDataConfig") or ()]


def lay(work: Work, place: Place, channels: Sequence[Channel], groups: Sequence[InstanceGroup]) -> Place:
    """Give each node its input, and return the place with a job that says so.

    Args:
        work: the order.
        place: where the job is to run.
        channels: its channels.
        groups: its nodes.

    Raises:
        Failed: there are no objects, or they cannot be files.
        Stopped: a stop was asked for.
    """
    settings: dict[str, dict[str, Mapping[str, str]]] = {node: {} for node in place.job.node_names}
    mounts = {node: list(place.job.mounts.get(node, ())) for node in place.job.node_names}
    for channel in channels:
        nodes = [node for group in groups for node in group.nodes if not channel.groups or group.name in channel.groups]
        items = _items(work, channel)
        try:
            for node, folder in _folders(work, place, channel, nodes, items).items():
                settings[node][channel.name] = channel.settings
                if channel.mode == FAST_FILE:
                    mounts[node].append((folder, f"/opt/ml/input/data/{channel.name}", True))
        except OSError as error:
            # A key that is a file and a folder at once has no place on a disk.
            raise Failed(f"ClientError: Data download failed: {error}") from error
    return replace(place, job=replace(place.job, channel_settings=settings, mounts=mounts))


def _channel(one: Mapping[str, Any], default: str) -> Channel:
    name, source = one["ChannelName"], one["DataSource"]
    mode = one.get("InputMode") or default
    objects = source.get("S3DataSource")
    if not CHANNEL_PATTERN.fullmatch(name):
        raise Failed(f"ClientError: {name!r} cannot name a channel")
    if objects is None:
        raise Failed(f"ClientError: channel {name}: the local plane has S3 only, and no {', '.join(source)}")
    if mode not in (FILE, FAST_FILE):
        raise Failed(f"ClientError: channel {name}: the local plane has no input mode {mode}, only File and FastFile")
    kind = objects["S3DataType"]
    if kind not in (PREFIX, MANIFEST):
        raise Failed(f"ClientError: channel {name}: the local plane has no {kind}, only S3Prefix and ManifestFile")
    distribution = objects.get("S3DataDistributionType", "FullyReplicated")
    settings = {"TrainingInputMode": mode, "S3DistributionType": distribution}
    settings |= {"RecordWrapperType": one.get("RecordWrapperType", "None")}
    settings |= {member: one[member] for member in ("ContentType", "CompressionType") if one.get(member)}
    groups = tuple(objects.get("InstanceGroupNames") or ())
    return Channel(name, mode, objects["S3Uri"], kind == MANIFEST, distribution == SHARDED, groups, settings)


def _items(work: Work, channel: Channel) -> list[Item]:
    items = sources.found(work.s3, channel.uri, manifest=channel.manifest)
    if not items:
        raise _nothing(work, channel.uri)
    return items


def _nothing(work: Work, uri: str) -> Failed:
    bucket, _ = storage.parse(uri)
    role = work.order.request["RoleArn"]
    return Failed(reasons.no_objects(uri, bucket=bucket, region=work.order.region, role=role))


def _folders(
    work: Work, place: Place, channel: Channel, nodes: Sequence[str], items: Sequence[Item]
) -> dict[str, Path]:
    """Download what each node has of a channel, and return the folder with it."""
    job = place.job
    made: dict[str, Path] = {}
    for node, mine in (sources.share(items, nodes) if channel.sharded else dict.fromkeys(nodes, items)).items():
        if channel.mode == FAST_FILE:
            folder = job.folder / "fast-file" / channel.name / (node if channel.sharded else "all")
        else:
            folder = job.root(node) / "opt" / "ml" / "input" / "data" / channel.name
        earlier = None if channel.sharded else next(iter(made.values()), None)
        if earlier is None:
            folder.mkdir(parents=True, exist_ok=True)
            for item in mine:
                work.check()
                _fetch(work, item, folder)
        elif earlier != folder:
            shutil.copytree(earlier, folder)
        made[node] = folder
    return made


def _fetch(work: Work, item: Item, folder: Path) -> None:
    try:
        storage.fetch(work.s3, item.bucket, item.key, folder / item.path)
    except work.s3.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        uri = f"s3://{item.bucket}/{item.key}"
        raise Failed(f"ClientError: Data download failed: {code}: {uri}") from error
