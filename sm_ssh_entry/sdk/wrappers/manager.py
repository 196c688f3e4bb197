"""Managed nodes by the resource that they run in, for scripts that ask for them themselves."""

from __future__ import annotations

import logging
import re
import threading
import time
from abc import ABC
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from sm_ssh_entry import aws, contract
from sm_ssh_entry.errors import BadInput, NotFound, NotRegistered, ServiceError
from sm_ssh_entry.sdk.wrappers import names, node_ids, tool
from sm_ssh_entry.sdk.wrappers.account import Account

# Resource type in an ARN -> our word for the kind.
KINDS = {
    "training-job": "training",
    "processing-job": "processing",
    "transform-job": "transform",
    "endpoint": "inference",
    "app": "studio",
    "notebook-instance": "notebook",
}
_ONLINE = "Online"
_GONE = {"InvalidInstanceId", "InvalidResourceId"}
_PAGE, _PARALLEL = 50, 8
_PAUSE = 3.0
_DAY = 24 * 3600


class SSMManagerBase(ABC):  # noqa: B024 - a base that others name, without a method that they must have
    """What looks for managed nodes.

    Args:
        region_name: region; None: the environment's.
        sleep_between_retries_in_seconds: kept for callers; ``sm-ssh wait`` has its own pace.
        redo_attempts: 0: only a job's first node is waited for.
    """

    logger = logging.getLogger("sagemaker-ssh-helper:SSMManagerBase")

    def __init__(
        self, region_name: str | None = None, sleep_between_retries_in_seconds: int = 10, redo_attempts: int = 5
    ) -> None:
        self.region_name = region_name or Account().effective_region
        self.sleep_between_retries_in_seconds = sleep_between_retries_in_seconds
        self.redo_attempts = redo_attempts

    def limited(self, expected: int) -> int:
        """Return how many nodes of a job are waited for."""
        return expected if self.redo_attempts > 0 else 1


class SSMManager(SSMManagerBase):
    """Looks for managed nodes by their tags.

    Args:
        region_name: region; None: the environment's.
        sleep_between_retries_in_seconds: kept for callers; ``sm-ssh wait`` has its own pace.
        redo_attempts: 0: only a job's first node is waited for.
        clock_timestamp_override: seconds since the epoch that count as now; None: the clock's.
    """

    PING_STATUS = "$__SSMManager__.PingStatus"
    logger = logging.getLogger("sagemaker-ssh-helper:SSMManager")

    def __init__(
        self,
        region_name: str | None = None,
        sleep_between_retries_in_seconds: int = 10,
        redo_attempts: int = 5,
        clock_timestamp_override: int | None = None,
    ) -> None:
        super().__init__(region_name, sleep_between_retries_in_seconds, redo_attempts)
        self.clock_timestamp_override = clock_timestamp_override
        self.account = Account(region=self.region_name)

    def get_training_instance_ids(
        self, training_job_name: str, timeout_in_sec: int = 0, expected_count: int = 1
    ) -> list[str]:
        """Return the ids of a training job's nodes, its first node first.

        Args:
            training_job_name: name of the job.
            timeout_in_sec: seconds to wait; 0: what is there now.
            expected_count: how many nodes register.

        Returns:
            Ids; none where the time has passed.

        Raises:
            SmSshError: there is no such job, or it has ended without a node.
        """
        return self._of("training", training_job_name, timeout_in_sec, expected_count)

    def get_processing_instance_ids(self, processing_job_name: str, timeout_in_sec: int = 0) -> list[str]:
        """Return the ids of a processing job's nodes."""
        return self._of("processing", processing_job_name, timeout_in_sec)

    def get_endpoint_instance_ids(self, endpoint_name: str, timeout_in_sec: int = 0) -> list[str]:
        """Return the ids of an endpoint's containers."""
        return self._of("inference", endpoint_name, timeout_in_sec)

    def get_transformer_instance_ids(self, transform_job_name: str, timeout_in_sec: int = 0) -> list[str]:
        """Return the ids of a transform job's nodes."""
        return self._of("transform", transform_job_name, timeout_in_sec)

    def get_notebook_instance_ids(self, instance_name: str, timeout_in_sec: int = 0) -> list[str]:
        """Return the id of a notebook instance's node."""
        return self._of("notebook", instance_name, timeout_in_sec)

    def get_studio_user_kgw_instance_ids(
        self,
        domain_id: str,
        user_profile_name: str,
        kgw_name: str,
        timeout_in_sec: int = 0,
        not_earlier_than_timestamp: int = 0,
    ) -> list[str]:
        """Return the ids of a user's app, or a space's, in Studio.

        Args:
            domain_id: id of the domain; ``""``: any.
            user_profile_name: user profile or space.
            kgw_name: name of the app.
            timeout_in_sec: seconds to wait; 0: what is there now.
            not_earlier_than_timestamp: nodes that registered before these seconds since the epoch do not count.
        """
        host = names.host("studio", kgw_name, user_profile_name, domain_id)
        return self._since(host, timeout_in_sec, not_earlier_than_timestamp)

    def get_studio_kgw_instance_ids(
        self, kgw_name: str, timeout_in_sec: int = 0, not_earlier_than_timestamp: int = 0
    ) -> list[str]:
        """Return the ids of apps of a name in Studio, whoever's they are."""
        return self._since(names.host("studio", kgw_name), timeout_in_sec, not_earlier_than_timestamp)

    def get_instance_ids(  # noqa: PLR0917 - the places that callers know
        self,
        arn_resource_type: str,
        arn_resource_name: str,
        timeout_in_sec: int = 0,
        expected_count: int = 1,
        arn_filter_regex: str | None = None,
        not_earlier_than_timestamp: int = 0,
    ) -> list[str]:
        """Return the ids of a resource's nodes.

        Args:
            arn_resource_type: word before the name in its ARN: ``training-job``.
            arn_resource_name: its name.
            timeout_in_sec: seconds to wait; 0: what is there now.
            expected_count: how many nodes register.
            arn_filter_regex: what must be found in the tag SSHResourceArn; None: nothing.
            not_earlier_than_timestamp: nodes that registered before these seconds since the epoch do not count.

        Raises:
            BadInput: there is no such type.
        """
        host = _host(arn_resource_type, arn_resource_name)
        if arn_filter_regex or not_earlier_than_timestamp:
            return self._since(host, timeout_in_sec, not_earlier_than_timestamp, arn_filter_regex or "")
        expected = self.limited(expected_count)
        return node_ids.awaited(self.account, host, timeout=timeout_in_sec, expected=expected)

    def get_instance_ids_once(
        self,
        arn_resource_type: str,
        arn_resource_name: str,
        arn_filter_regex: str | None = None,
        not_earlier_than_timestamp: int = 0,
    ) -> list[str]:
        """Return the ids that are there now; arguments as in ``get_instance_ids``."""
        return self.get_instance_ids(
            arn_resource_type, arn_resource_name, 0, 1, arn_filter_regex, not_earlier_than_timestamp
        )

    def list_all_instances_and_fetch_tags(self) -> dict[str, dict[str, str]]:
        """Return the tags of every managed node of the region by its id, with its status under ``PING_STATUS``.

        One call for each node: ``sm-ssh list`` has what is mostly wanted for a few.
        """
        ssm = self.account.client("ssm")
        nodes = list(_nodes(ssm, [{"Key": "ResourceType", "Values": ["ManagedInstance"]}]))
        with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            every = list(pool.map(lambda node: _tags(ssm, node["InstanceId"]), nodes))
        return {
            node["InstanceId"]: {**tags, self.PING_STATUS: node.get("PingStatus", "")}
            for node, tags in zip(nodes, every, strict=True)
            if tags is not None
        }

    def list_expired_ssh_instances(self, expiration_days: int = 0) -> list[str]:
        """Return the ids of nodes that are not Online and registered longer ago than some days."""
        now = self.clock_timestamp_override if self.clock_timestamp_override is not None else round(time.time())
        return [
            node_id
            for node_id, tags in self.list_all_instances_and_fetch_tags().items()
            if tags[self.PING_STATUS] != _ONLINE and _timestamp(tags) < now - expiration_days * _DAY
        ]

    def get_ssh_instance_timestamp(self, instance_id: str) -> int:
        """Return when a node registered, in seconds since the epoch; 0: its tags do not say."""
        return _timestamp(self.tags(instance_id))

    def tags(self, instance_id: str) -> dict[str, str]:
        """Return a node's tags; none where there is no such node."""
        return _tags(self.account.client("ssm"), instance_id) or {}

    def _of(self, kind: str, name: str, timeout: float, expected: int = 1) -> list[str]:
        host = names.host(kind, name)
        return node_ids.awaited(self.account, host, timeout=timeout, expected=self.limited(expected))

    def _since(self, host: str, timeout: float, earliest: int, pattern: str = "") -> list[str]:
        deadline, clock = time.monotonic() + timeout, threading.Event()
        while True:
            ids = self._fitting(host, earliest, pattern)
            left = deadline - time.monotonic()
            if ids or left <= 0:
                return ids
            clock.wait(min(_PAUSE, left))

    def _fitting(self, host: str, earliest: int, pattern: str) -> list[str]:
        try:
            entries = tool.entries(self.account, host)
        except (NotFound, NotRegistered):
            return []
        fresh = [str(one["node_id"]) for one in entries if _registered(one) >= earliest]
        if not pattern:
            return fresh
        return [one for one in fresh if re.search(pattern, self.tags(one).get(contract.TAG_RESOURCE_ARN, ""))]


def _host(arn_resource_type: str, name: str) -> str:
    if arn_resource_type not in KINDS:
        raise BadInput(f"{arn_resource_type!r} is no type of resource", hint=f"types are {', '.join(KINDS)}")
    return names.host(KINDS[arn_resource_type], name)


def _registered(entry: dict[str, Any]) -> float:
    return datetime.fromisoformat(entry["registered"]).timestamp() if entry["registered"] else 0.0


def _timestamp(tags: dict[str, str]) -> int:
    text = tags.get(contract.TAG_TIMESTAMP, "")
    return int(text) if text.isdecimal() else 0


def _nodes(ssm: Any, filters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    token: dict[str, str] = {}
    while True:
        with aws.errors_of(action="ssm:DescribeInstanceInformation"):
            page = ssm.describe_instance_information(Filters=filters, MaxResults=_PAGE, **token)
        yield from page.get("InstanceInformationList", ())
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _tags(ssm: Any, node_id: str) -> dict[str, str] | None:
    """Return a node's tags; None where it is gone."""
    try:
        with aws.errors_of(action="ssm:ListTagsForResource"):
            answer = ssm.list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=node_id)
    except ServiceError as error:
        if error.code in _GONE:
            return None
        raise
    return {tag["Key"]: tag["Value"] for tag in answer.get("TagList", ())}
