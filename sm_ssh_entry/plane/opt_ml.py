"""The /opt/ml tree of a node, laid out as SageMaker does (contract page, sections 1.4, 1.5 and 4.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDERS = ("code", "checkpoints", "input/config", "input/data", "model", "output/data")
PROCESSING_FOLDERS = ("config", "output", "processing/input", "processing/output")
INSTANCE_TYPE = "ml.local"
INSTANCE_GROUP = "homogeneousCluster"
CHANNEL = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}


@dataclass(frozen=True)
class InstanceGroup:
    """Nodes of one instance type in a training job.

    Args:
        name: its name.
        instance_type: ``ml.m5.large`` for one.
        nodes: its nodes, ``algo-1`` and so on.
    """

    name: str
    instance_type: str
    nodes: Sequence[str]


def lay_out(
    ml: Path,
    *,
    node: str,
    nodes: Sequence[str],
    interface: str = "lo",
    hyperparameters: Mapping[str, str] | None = None,
    channels: Mapping[str, Path] | None = None,
) -> None:
    """Make the tree that one node of a training job finds, with its channels linked in.

    Args:
        ml: where /opt/ml is.
        node: this node's name, ``algo-1`` for one.
        nodes: all nodes of the job.
        interface: network interface that the nodes reach each other over.
        hyperparameters: the flat string map that SageMaker hands over.
        channels: name of an input channel -> folder with its files.
    """
    given = dict(channels or {})
    lay_out_training(
        ml,
        node=node,
        groups=(InstanceGroup(INSTANCE_GROUP, INSTANCE_TYPE, nodes),),
        interface=interface,
        hyperparameters=hyperparameters or {},
        channels=dict.fromkeys(given, CHANNEL),
    )
    for name, source in given.items():
        (ml / "input" / "data" / name).symlink_to(source.resolve(), target_is_directory=True)


def lay_out_training(
    ml: Path,
    *,
    node: str,
    groups: Sequence[InstanceGroup],
    interface: str,
    hyperparameters: Mapping[str, str],
    channels: Mapping[str, Mapping[str, str]],
) -> None:
    """Make the tree that one node of a training job finds, without what its channels hold.

    Args:
        ml: where /opt/ml is.
        node: this node's name.
        groups: all nodes of the job, in their instance groups.
        interface: see ``lay_out``.
        hyperparameters: the flat string map.
        channels: input channel -> what inputdataconfig.json says of it.
    """
    own = next(group for group in groups if node in group.nodes)
    _make(ml, FOLDERS)
    config = ml / "input" / "config"
    _write(config / "hyperparameters.json", dict(hyperparameters))
    _write(config / "inputdataconfig.json", {name: dict(said) for name, said in channels.items()})
    _write(
        config / "resourceconfig.json",
        {
            "current_host": node,
            "current_instance_type": own.instance_type,
            "current_group_name": own.name,
            # The service sorts as text does: algo-10 stands before algo-2.
            "hosts": sorted(name for group in groups for name in group.nodes),
            "instance_groups": [
                {
                    "instance_group_name": group.name,
                    "instance_type": group.instance_type,
                    "hosts": sorted(group.nodes),
                }
                for group in groups
            ],
            "network_interface_name": interface,
            "topology": None,
        },
    )


def lay_out_processing(ml: Path, *, node: str, nodes: Sequence[str], request: Mapping[str, object]) -> None:
    """Make the tree that one node of a processing job finds, without what its inputs hold.

    Args:
        ml: where /opt/ml is.
        node: this node's name.
        nodes: all nodes of the job.
        request: what stands in processingjobconfig.json: the job's request, with its ARN.
    """
    _make(ml, PROCESSING_FOLDERS)
    _write(ml / "config" / "processingjobconfig.json", dict(request))
    _write(ml / "config" / "resourceconfig.json", {"current_host": node, "hosts": sorted(nodes)})


def lay_out_serving(ml: Path, *, multi_model: bool) -> None:
    """Make the tree that an endpoint's container finds, without its models.

    Args:
        ml: where /opt/ml is.
        multi_model: many models below ``models`` rather than one in ``model``.
    """
    _make(ml, ("models" if multi_model else "model",))


def lay_out_metadata(ml: Path, metadata: Mapping[str, object]) -> None:
    """Make the file by which a Studio app or a notebook instance knows itself.

    Args:
        ml: where /opt/ml is.
        metadata: what stands in resource-metadata.json.
    """
    _make(ml, ("metadata",))
    _write(ml / "metadata" / "resource-metadata.json", dict(metadata))


def mount_point(kind: str, channel: str, *, multi_model: bool = False) -> str:
    """Return where below /opt/ml a container finds a channel's files.

    Args:
        kind: one of ``contract.KINDS``.
        channel: its name; an endpoint's one channel is its model, a multi-model endpoint's are its models.
        multi_model: whether it is one of many models.
    """
    if kind == "training":
        return f"input/data/{channel}"
    if kind == "processing":
        return f"processing/input/{channel}"
    if kind in {"studio", "notebook"}:
        # Nothing of SageMaker's is mounted into these: a folder of the user's own choice.
        return f"data/{channel}"
    return f"models/{channel}/model" if multi_model else "model"


def open_to_all(ml: Path) -> None:
    """Let any user of a container write to the tree: an image's own user has no account here.

    The folder above it is the caller's alone, so nobody else on this machine gets in.

    Args:
        ml: where /opt/ml is.
    """
    for path in (ml, *ml.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)


def _make(ml: Path, folders: Sequence[str]) -> None:
    for folder in folders:
        (ml / folder).mkdir(parents=True, exist_ok=True)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
