"""Where SageMaker writes the log of what: groups and streams of CloudWatch Logs, by kind.

From AWS's documentation: ``/aws/sagemaker/TrainingJobs`` has streams ``<job>/algo-1-<epoch>``, endpoints have a group
each with streams ``<variant>/<instance>``, Studio has ``<domain>/<space>/<app type>/<app>``. The agent of SageMaker's
own way in writes to a stream beside, ``…/ssm``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.errors import BadInput

_ROOT = "/aws/sagemaker"
_JOBS = {"training": "TrainingJobs", "processing": "ProcessingJobs", "transform": "TransformJobs"}
_EPOCH = re.compile(r"-[0-9]{9,}$")
_SSM = "/ssm"


@dataclass(frozen=True)
class LogPlace:
    """Where a log is.

    Attributes:
        group: name of the log group; where ``whole`` is not set, what it begins with.
        prefix: what the names of its streams begin with.
        ending: what they end with; ``""``: anything.
        agent: whether it is the log of SageMaker's own agent.
        whole: whether the group's name is known in full.
    """

    group: str
    prefix: str = ""
    ending: str = ""
    agent: bool = False
    whole: bool = True

    def holds(self, stream: str) -> bool:
        """Whether a stream of the group belongs to it."""
        of_agent = stream.endswith(_SSM)
        name = stream.removesuffix(_SSM)
        # What an app's lifecycle script says stands below the app.
        ends = name.endswith(self.ending) or f"{self.ending}/" in name
        return name.startswith(self.prefix) and ends and of_agent == self.agent

    def label(self, stream: str) -> str:
        """Return what a stream is called before its lines: ``algo-1``, ``variant/i-0123``."""
        name = stream.removesuffix(_SSM)
        whole_parts = self.prefix[: self.prefix.rfind("/") + 1]
        return _EPOCH.sub("", name.removeprefix(whole_parts)) or name


def places(target: Target, *, node: str = "", agent: bool = False) -> tuple[LogPlace, ...]:
    """Return where the log of a name may be, the likeliest first.

    Args:
        target: parsed name of a resource, not a node's id.
        node: node of a job, or variant of an endpoint; ``""``: what the name says.
        agent: whether the log of SageMaker's own agent is wanted.

    Raises:
        BadInput: the name does not say enough.
    """
    label, name = node or target.node, target.resource
    if target.kind in _JOBS:
        return (LogPlace(f"{_ROOT}/{_JOBS[target.kind]}", f"{name}/{label}-" if label else f"{name}/", agent=agent),)
    if target.kind == "inference":
        if label.isdigit():
            raise BadInput(
                f"the log does not number containers: {target.host}", hint="name the endpoint, or one of its variants"
            )
        own = LogPlace(f"{_ROOT}/Endpoints/{name}", f"{label}/" if label else "", agent=agent)
        return (own, LogPlace(f"{_ROOT}/InferenceComponents/{label or name}", agent=agent))
    if target.kind == "notebook":
        return (LogPlace(f"{_ROOT}/NotebookInstances", f"{name}/", agent=agent),)
    if target.kind == "hyperpod":
        group = f"{_ROOT}/Clusters/{name}/"
        return (LogPlace(group, "LifecycleConfig/", f"/{label}" if label else "", agent=agent, whole=False),)
    *app, space, domain = ["", *name.split(".")] if "." in name else ["", "", ""]
    if not domain:
        raise BadInput(
            f"{target.host} does not say where its log is",
            hint="give the whole name: app.space.domain.studio.sagemaker",
        )
    return (LogPlace(f"{_ROOT}/studio", f"{domain}/{space}/", f"/{app[-1]}" if app[-1] else "", agent=agent),)
