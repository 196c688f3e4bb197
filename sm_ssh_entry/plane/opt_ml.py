"""The /opt/ml tree of a training node, laid out as SageMaker does (contract page, sections 1.5 and 4.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDERS = ("code", "checkpoints", "input/config", "input/data", "model", "output/data")
INSTANCE_TYPE = "ml.local"
INSTANCE_GROUP = "homogeneousCluster"


def lay_out(
    ml: Path,
    *,
    node: str,
    nodes: Sequence[str],
    interface: str = "lo",
    hyperparameters: Mapping[str, str] | None = None,
    channels: Mapping[str, Path] | None = None,
) -> None:
    """Make the tree that one node of a training job finds.

    Args:
        ml: where /opt/ml is.
        node: this node's name, ``algo-1`` for one.
        nodes: all nodes of the job.
        interface: network interface that the nodes reach each other over.
        hyperparameters: the flat string map that SageMaker hands over.
        channels: name of an input channel -> folder with its files, which is linked in.
    """
    for folder in FOLDERS:
        (ml / folder).mkdir(parents=True, exist_ok=True)
    config = ml / "input" / "config"
    given = dict(channels or {})
    for name, source in given.items():
        (ml / "input" / "data" / name).symlink_to(source.resolve(), target_is_directory=True)
    _write(config / "hyperparameters.json", dict(hyperparameters or {}))
    _write(config / "inputdataconfig.json", dict.fromkeys(given, _CHANNEL))
    _write(
        config / "resourceconfig.json",
        {
            "current_host": node,
            "current_instance_type": INSTANCE_TYPE,
            "current_group_name": INSTANCE_GROUP,
            # The service sorts as text does: algo-10 stands before algo-2.
            "hosts": sorted(nodes),
            "instance_groups": [
                {"instance_group_name": INSTANCE_GROUP, "instance_type": INSTANCE_TYPE, "hosts": sorted(nodes)}
            ],
            "network_interface_name": interface,
            "topology": None,
        },
    )


_CHANNEL = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
