"""Wrappers of what runs already, found by name: no SDK, real ``sm-ssh`` children, a plane with nodes."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from sm_ssh_entry import aws, contract
from sm_ssh_entry.errors import BadInput, NotRegistered
from sm_ssh_entry.plane import job_records
from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.sdk.wrappers import (
    SSHEnvironmentWrapper,
    SSHEstimatorWrapper,
    SSHIDEWrapper,
    SSHModelWrapper,
    SSHNotebookInstanceWrapper,
    SSHProcessorWrapper,
    SSHTransformerWrapper,
    tool,
)
from sm_ssh_entry.sdk.wrappers.account import Account
from sm_ssh_entry.sdk.wrappers.base import one_of
from sm_ssh_entry.sdk.wrappers.log import SSHLog
from sm_ssh_entry.sdk.wrappers.manager import SSMManager
from tests.connect import resources
from tests.connect.world import REGION, Fleet

pytestmark = pytest.mark.usefixtures("laptop")


def run_job(plane: PlaneThread, name: str, status: str) -> None:
    """Have a training job of a status on the plane; it has no container."""
    resources.training(aws.client("sagemaker"), name)
    plane.call(lambda there: job_records.note(there.store, {"name": name, "region": REGION, "job_status": status}))


def test_nodes_of_a_training_job_come_in_the_order_of_their_ranks(fleet: Fleet) -> None:
    second = fleet.add("job", "algo-2", registered=-60)
    first = fleet.add("job", "algo-1")
    fleet.add("job", "algo-3", online=False)
    fleet.add("other")
    wrapper = SSHEstimatorWrapper.attach("job")
    assert wrapper.get_instance_ids() == [first, second]
    assert wrapper.get_instance_id(index=1) == second
    with pytest.raises(NotRegistered, match=r"job\.training\.sagemaker has 2 managed nodes"):
        wrapper.get_instance_id(index=2)


def test_the_waiting_ends_when_the_node_comes(
    fleet: Fleet, plane: PlaneThread, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_job(plane, "later", "InProgress")
    come = threading.Event()

    def register() -> None:
        come.wait(120)
        fleet.add("later")

    def call(account: Account, *words: str) -> str:
        if words[0] == "wait":
            come.set()
        return run(account, *words)

    run = tool.call
    monkeypatch.setattr(tool, "call", call)
    thread = threading.Thread(target=register)
    thread.start()
    wrapper = SSHEstimatorWrapper.attach("later")
    assert wrapper.get_instance_ids(timeout_in_sec=0) == []
    (found,) = wrapper.get_instance_ids(timeout_in_sec=20)
    thread.join()
    assert found.startswith("mi-")
    assert "later.training.sagemaker: Online as mi-" in capsys.readouterr().err


def test_the_old_retry_is_tens_of_seconds() -> None:
    wrapper = SSHEstimatorWrapper.attach("job")
    assert wrapper.retry_deprecated_warning(0, 900) == 0
    assert wrapper.retry_deprecated_warning(3, 900) == 30
    assert wrapper.retry_deprecated_warning(None, 900) == 900
    assert wrapper.get_instance_ids(retry=0) == []


def test_a_job_that_has_ended_gives_its_lost_nodes_or_says_why_there_are_none(fleet: Fleet, plane: PlaneThread) -> None:
    for name in ("ended", "silent"):
        run_job(plane, name, "Stopped")
    lost = fleet.add("ended", online=False)
    assert SSHEstimatorWrapper.attach("ended").get_instance_ids(timeout_in_sec=30) == [lost]
    with pytest.raises(NotRegistered, match="silent"):
        SSHEstimatorWrapper.attach("silent").get_instance_ids(timeout_in_sec=30)


def test_an_endpoint_is_found_by_the_session_id_of_its_model(fleet: Fleet) -> None:
    sagemaker = aws.client("sagemaker")
    model = resources.model(sagemaker, "model", "word")
    resources.endpoint(sagemaker, "endpoint", [resources.variant("blue", model)])
    node_id = fleet.add("", "", kind="inference", tags={contract.TAG_SESSION_ID: "word"})
    wrapper = SSHModelWrapper.attach("endpoint", None)
    assert wrapper.get_instance_ids(timeout_in_sec=0) == [node_id]
    assert SSHLog().get_endpoint_ssm_instance_ids("endpoint") == [node_id]
    assert wrapper.endpoint_is_online()
    wrapper.wait_for_endpoint()
    with pytest.raises(BadInput, match="no model yet"):
        wrapper.get_model_metadata_url()


def test_every_kind_by_its_name(fleet: Fleet) -> None:
    hosts = [
        "one.processing.sagemaker",
        "one.transform.sagemaker",
        "one.notebook.sagemaker",
        "default.me.d-1.studio.sagemaker",
        "default.studio.sagemaker",
    ]
    found = [SSHEnvironmentWrapper.attach_to_resource(host) for host in hosts]
    assert [one.host for one in found] == hosts
    assert [type(one) for one in found] == [
        SSHProcessorWrapper,
        SSHTransformerWrapper,
        SSHNotebookInstanceWrapper,
        SSHIDEWrapper,
        SSHIDEWrapper,
    ]
    fleet.add("one", "algo-1", kind="training")
    node_id = fleet.add("one", "algo-1", kind="processing")
    app = fleet.add("default.me.d-1", "", kind="studio")
    assert found[0].get_instance_ids(timeout_in_sec=0) == [node_id]
    assert found[3].get_instance_ids(timeout_in_sec=0) == [app]
    assert SSHEnvironmentWrapper.attach_to_resource("algo-2.job.training.sagemaker").host == "job.training.sagemaker"
    late = SSHIDEWrapper.attach("d-1", "me", "default", not_earlier_than_timestamp=int(time.time()))
    assert late.get_instance_ids(timeout_in_sec=0) == []
    with pytest.raises(BadInput, match="names no resource"):
        SSHEnvironmentWrapper.attach_to_resource("training.sagemaker")


def test_what_is_printed_says_where_to_look_and_how_to_connect(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    node_id = fleet.add("job")
    SSHEstimatorWrapper.attach_arn("arn:aws:sagemaker:us-east-1:123456789012:training-job/job").print_ssh_info()
    shown = capsys.readouterr().out
    assert f"sm-ssh connect --region {REGION} job.training.sagemaker" in shown
    assert f"https://{REGION}.console.aws.amazon.com/sagemaker/home?region={REGION}#/jobs/job" in shown
    assert node_id in shown
    with pytest.raises(BadInput, match="not the ARN of a training job"):
        SSHEstimatorWrapper.attach_arn("arn:aws:sagemaker:us-east-1:123456789012:model/job")


def test_no_node_in_time_says_where_the_log_is() -> None:
    with pytest.raises(NotRegistered, match=r"no managed node has registered for nobody\.processing") as raised:
        SSHProcessorWrapper.attach("nobody").start_ssm_connection(14022, timeout_in_sec=0)
    assert "sm-ssh logs nobody.processing.sagemaker" in raised.value.hint


def test_what_a_child_fails_with_keeps_its_class_message_and_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Exception, match="does not answer") as raised:
        SSHEstimatorWrapper.attach("job").get_instance_ids(timeout_in_sec=0)
    assert type(raised.value).__name__ == "Unreachable"
    assert "check the network" in getattr(raised.value, "hint", "")


@pytest.mark.parametrize(
    ("seconds", "span", "wanted"), [(900, 900, 900), (60, 900, 60), (900, 60, 60), (0, 900, 0), (60, 60, 60)]
)
def test_of_two_arguments_for_one_thing_the_one_that_was_given_counts(seconds: int, span: int, wanted: int) -> None:
    assert one_of(seconds, timedelta(seconds=span), default=900, what="both") == wanted


def test_two_arguments_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(BadInput, match="contradict each other: 30 s and 60 s"):
        one_of(30, timedelta(seconds=60), default=900, what="both")


def test_an_input_is_made_for_a_processor_only() -> None:
    with pytest.raises(BadInput, match="DetachedProcessor is no processor"):
        SSHProcessorWrapper.attach("job").augmented_input()


def test_a_role_is_given_by_path_and_name() -> None:
    role = "arn:aws-cn:iam::123456789012:role/service-role/Job"
    assert SSHEnvironmentWrapper.ssm_role_from_iam_arn(role) == "service-role/Job"
    for wrong in ("", "Job", "arn:aws:iam::123456789012:user/me"):
        with pytest.raises(BadInput):
            SSHEnvironmentWrapper.ssm_role_from_iam_arn(wrong)
    with pytest.raises(BadInput, match="ssm_iam_role is an ARN"):
        SSHEstimatorWrapper(object(), ssm_iam_role=role)
    with pytest.raises(BadInput, match="a name is wanted"):
        SSHEstimatorWrapper.attach(object())  # type: ignore[arg-type]


def test_nodes_with_their_tags(fleet: Fleet) -> None:
    online = fleet.add("job", tags={contract.TAG_TIMESTAMP: "1700000000"})
    lost = fleet.add("old", online=False, tags={contract.TAG_TIMESTAMP: "1600000000"})
    manager = SSMManager(clock_timestamp_override=1600000000 + 2 * 24 * 3600)
    every = manager.list_all_instances_and_fetch_tags()
    assert every[online][SSMManager.PING_STATUS] == "Online"
    assert every[lost][contract.TAG_RESOURCE_NAME] == "old"
    assert manager.list_expired_ssh_instances() == [lost]
    assert manager.list_expired_ssh_instances(expiration_days=3) == []
    assert manager.get_ssh_instance_timestamp(online) == 1700000000
    assert manager.get_instance_ids("training-job", "job") == [online]
    arn = "arn:aws:sagemaker:us-east-1:123456789012:training-job/job"
    fleet.tag(online, **{contract.TAG_RESOURCE_ARN: arn})
    assert manager.get_instance_ids_once("training-job", "job", arn_filter_regex=":training-job/") == [online]
    assert manager.get_instance_ids_once("training-job", "job", arn_filter_regex="eu-west-1") == []
    with pytest.raises(BadInput, match="no type of resource"):
        manager.get_instance_ids("job", "job")
