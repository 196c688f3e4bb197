"""Each thing that can be in the way has its own line, hint and exit code, on a real plane."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry import aws, errors
from sm_ssh_entry.connect import connect, diagnose, elsewhere, hostkeys, names
from sm_ssh_entry.connect.access import Access, Reach
from sm_ssh_entry.connect.connect import Login
from sm_ssh_entry.plane import job_records
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect import resources
from tests.connect.world import Fleet, Laptop, keygen, public

HOST = "j.training.sagemaker"


@pytest.fixture
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore try again at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)


def login(host: str = HOST, **options: Any) -> errors.SmSshError:
    """Take all steps, which must fail; return the error, in shape for a terminal."""
    lines: list[str] = []
    with pytest.raises(errors.SmSshError) as failed:
        connect.obtain(Login(host, lines.append, Reach(**options)))
    error = failed.value
    assert error.message
    assert "\n" not in error.message + error.hint
    assert error.hint, error.message
    return error


def submit(name: str = "j", region: str = "us-east-1") -> None:
    """Create a training job that never gets anywhere near a container (moto's)."""
    resources.training(aws.client("sagemaker", region=region), name)


def ready(fleet: Fleet, laptop: Laptop, name: str = "j", **tags: str) -> str:
    """Add a node whose key and host key are known, so that only the session is left to fail."""
    mine = hostkeys.fingerprint(public(laptop.make_key()))
    host_key = keygen(laptop.home / "host")
    return fleet.add(name, tags={"SSHHostKey": host_key, "SSHKeyFingerprints": mine, **tags})


def test_a_name_that_cannot_be(laptop: Laptop) -> None:
    assert login("j").exit_code == 2


def test_no_such_job(laptop: Laptop) -> None:
    error = login("nobody.training.sagemaker")
    assert isinstance(error, errors.NotFound)
    assert "training job nobody" in error.message


def test_no_such_node(laptop: Laptop) -> None:
    error = login("mi-0123456789abcdef0")
    assert isinstance(error, errors.NotFound)
    assert "us-east-1" in error.message


@pytest.mark.parametrize(
    ("name", "noun"),
    [
        ("e.inference", "endpoint e"),
        ("v.e.inference", "endpoint e"),
        ("n.notebook", "notebook instance n"),
        ("p.processing", "processing job p"),
        ("t.transform", "transform job t"),
        ("workers-1.pod.hyperpod", "HyperPod cluster pod"),
        ("app.studio", "space app"),
        ("default.desk.d-abc.studio", "space desk"),
    ],
)
def test_nothing_of_that_name_in_every_kind(laptop: Laptop, name: str, noun: str) -> None:
    error = login(f"{name}.sagemaker")
    assert isinstance(error, errors.NotFound)
    assert f"there is no {noun}" in error.message


def test_a_notebook_instance_that_does_not_run(laptop: Laptop) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_notebook_instance(NotebookInstanceName="n", InstanceType="ml.t3.medium", RoleArn=resources.ROLE)
    error = login("n.notebook.sagemaker")
    assert isinstance(error, errors.NotRegistered)
    assert "lifecycle" in error.hint
    sagemaker.stop_notebook_instance(NotebookInstanceName="n")
    error = login("n.notebook.sagemaker")
    assert error.message == "notebook instance n is Stopped"
    assert "start-notebook-instance" in error.hint


def test_an_endpoint_whose_containers_have_not_registered(laptop: Laptop) -> None:
    sagemaker = aws.client("sagemaker")
    resources.endpoint(sagemaker, "e", [resources.variant("v", resources.model(sagemaker, "m", "id"))])
    error = login("e.inference.sagemaker")
    assert isinstance(error, errors.NotRegistered)
    assert error.message == "endpoint e is InService, but no node has registered"
    assert "SSH_SESSION_ID" in error.hint


def test_a_job_without_a_node(laptop: Laptop) -> None:
    submit()
    error = login()
    assert isinstance(error, errors.NotRegistered)
    assert "training job j" in error.message


def test_a_number_that_the_job_has_no_node_for(plane: PlaneThread, fleet: Fleet, laptop: Laptop) -> None:
    running = {"name": "j", "region": "us-east-1", "nodes": 3}
    plane.call(lambda there: job_records.note(there.store, running))
    fleet.add("j", "algo-1")
    error = login("algo-4.j.training.sagemaker")
    assert isinstance(error, errors.NotFound)
    assert error.message == "training job j has 3 nodes, algo-1 to algo-3; there is no algo-4"


def test_a_component_whose_containers_have_not_registered(laptop: Laptop) -> None:
    sagemaker = aws.client("sagemaker")
    resources.endpoint(sagemaker, "e", [resources.variant("all")])
    resources.component(sagemaker, "c", "e", "all", ModelName=resources.model(sagemaker, "m", "id"))
    error = login("c.inference.sagemaker")
    assert isinstance(error, errors.NotRegistered)
    assert error.message == "inference component c is InService, but no node has registered"


def test_who_may_not_describe_jobs_hears_less(plane: PlaneThread, laptop: Laptop) -> None:
    plane.plane.faults.add("DescribeTrainingJob", "AccessDeniedException")
    assert isinstance(login(), errors.NotFound)


def test_a_lost_node(fleet: Fleet, laptop: Laptop) -> None:
    fleet.add("j", online=False)
    assert isinstance(login(), errors.ConnectionLost)


def test_two_nodes_of_one_name(fleet: Fleet, laptop: Laptop) -> None:
    ids = {fleet.add("j"), fleet.add("j")}
    error = login()
    assert isinstance(error, errors.Ambiguous)
    assert all(node_id in error.message for node_id in ids)


@pytest.mark.parametrize("what", ["node", "job"])
def test_another_region(fleet: Fleet, laptop: Laptop, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "PATIENCE", 30.0)
    monkeypatch.setattr(elsewhere, "known_regions", lambda _: ["us-east-1", "eu-west-1", "ap-south-1"])
    if what == "node":
        fleet.add("j", region="eu-west-1")
    else:
        submit(region="eu-west-1")
    target = names.parse(HOST)
    assert elsewhere.region_of(Access(), target, patience=30.0) == "eu-west-1"
    error = login()
    assert isinstance(error, errors.WrongRegion)
    assert "is in eu-west-1, not in us-east-1" in error.message
    assert error.hint == "use --region eu-west-1"


@pytest.mark.parametrize("region", ["mars-north-1", "us-nowhere-9"])
def test_an_unknown_region(laptop: Laptop, region: str) -> None:
    error = login(region=region)
    assert isinstance(error, errors.WrongRegion)
    assert region in error.message


def test_the_suffix_names_the_region(fleet: Fleet, laptop: Laptop) -> None:
    fleet.add("j", online=False, region="eu-west-1")
    assert isinstance(login(HOST + "@eu-west-1"), errors.ConnectionLost)


def test_no_region(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    aws._session.cache_clear()
    assert isinstance(login(), errors.WrongRegion)


def test_no_credentials(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    aws._session.cache_clear()
    assert isinstance(login(), errors.CredentialsMissing)


def test_credentials_that_aws_does_not_know(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    aws._session.cache_clear()
    assert isinstance(login(), errors.CredentialsMissing)


@pytest.mark.parametrize("operation", ["DescribeInstanceInformation", "ListTagsForResource", "StartSession"])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ExpiredTokenException", errors.CredentialsExpired),
        ("AccessDeniedException", errors.AccessDenied),
        ("ThrottlingException", errors.Throttled),
        ("SomethingElse", errors.ServiceError),
    ],
)
@pytest.mark.usefixtures("no_back_off")
def test_each_call_may_fail(  # noqa: PLR0917 - three fixtures and three parameters
    plane: PlaneThread, fleet: Fleet, laptop: Laptop, operation: str, code: str, expected: type[errors.SmSshError]
) -> None:
    ready(fleet, laptop)
    plane.plane.faults.add(operation, code)
    with pytest.raises(expected):
        connect.obtain(Login(HOST, print))


@pytest.mark.usefixtures("no_back_off")
def test_an_endpoint_that_does_not_answer(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    aws._session.cache_clear()
    assert isinstance(login(), errors.Unreachable)
    assert isinstance(login(region="mars-north-1"), errors.WrongRegion)


def test_the_advanced_tier_is_off(plane: PlaneThread, fleet: Fleet, laptop: Laptop, ssm: Any) -> None:
    ready(fleet, laptop)
    ssm.update_service_setting(SettingId="/ssm/managed-instance/activation-tier", SettingValue="standard")
    error = login()
    assert isinstance(error, errors.AdvancedTierOff)
    assert "update-service-setting" in error.hint


def test_an_agent_that_is_not_connected(fleet: Fleet, laptop: Laptop) -> None:
    node_id = ready(fleet, laptop)
    error = login()
    assert isinstance(error, errors.ConnectionLost)
    assert node_id in error.message


def test_somebody_elses_node(plane: PlaneThread, fleet: Fleet, laptop: Laptop) -> None:
    plane.plane.faults.add("StartSession", "AccessDeniedException")
    ready(fleet, laptop, SSHOwner="AROAEXAMPLE:somebody")
    error = login()
    assert isinstance(error, errors.AccessDenied)
    assert "AROAEXAMPLE:somebody" in error.message
    user = aws.client("sts").get_caller_identity()["UserId"]
    assert user in error.message


def test_nobodys_node(plane: PlaneThread, fleet: Fleet, laptop: Laptop) -> None:
    plane.plane.faults.add("StartSession", "AccessDeniedException")
    ready(fleet, laptop)
    error = login()
    assert isinstance(error, errors.AccessDenied)
    assert "SSH_OWNER_TAG" in error.hint


def test_a_tag_that_is_no_port(fleet: Fleet, laptop: Laptop) -> None:
    fleet.add("j", tags={"SSHPort": "22; id"})
    with pytest.raises(errors.BadInput, match="SSHPort"):
        connect.obtain(Login(HOST, print))


def test_the_reason_of_a_failed_job_is_told() -> None:
    from sm_ssh_entry.connect.jobs import Job

    error = diagnose.not_registered(Job("training job", "j", "Failed", "Failed", "AlgorithmError: out of memory"))
    assert error.message == "training job j has ended (Failed): AlgorithmError: out of memory"
