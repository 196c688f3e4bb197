"""One node among many: how many calls and how long, against a plane that holds that many nodes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from unittest import mock

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect import names, nodes
from sm_ssh_entry.plane.server import Plane, PlaneThread
from sm_ssh_entry.plane.store import Activation
from tests.bench.measure import seconds

WANTED = "the-one-i-mean"


@contextlib.contextmanager
def as_client(environment: Mapping[str, str]) -> Iterator[None]:
    """Let the AWS clients of this process take their keys and endpoint from these variables."""
    with mock.patch.dict(os.environ, environment):
        aws._session.cache_clear()
        yield
    aws._session.cache_clear()


def _seed(plane: Plane, count: int, name: str) -> None:
    now = plane.store.clock()
    for number in range(count):
        this = name if count == 1 else f"job-{number}"
        tags = {contract.TAG_RESOURCE_NAME: this, contract.TAG_RESOURCE_KIND: "training", contract.TAG_NODE: "algo-1"}
        activation = Activation(
            f"a-{number}", "code", plane.region, "role", now, now + 60, default_instance_name=this, tags=tags
        )
        plane.store.nodes.register(activation, public_key="", fingerprint="", now=now).ping(now)


def calls_to_find(count: int) -> tuple[int, float, float]:
    """Return calls and seconds to find one node among so many, and the seconds with that node alone.

    Args:
        count: how many other nodes there are.
    """
    with PlaneThread() as thread, as_client(thread.environment()):
        # A fault without an error or a delay does nothing but count.
        counter = thread.call(lambda plane: plane.faults.add("*"))
        ssm = aws.client("ssm")
        target = names.parse(f"{WANTED}.training.sagemaker")
        thread.call(lambda plane: _seed(plane, 1, WANTED))
        nodes.find(ssm, target)
        alone = seconds(lambda: nodes.find(ssm, target))
        thread.call(lambda plane: _seed(plane, count, ""))
        before = counter.struck
        took = seconds(lambda: nodes.find(ssm, target))
        return counter.struck - before, took, alone
