"""What runs is listed with the state of its node."""

from __future__ import annotations

import pytest

from sm_ssh_entry import aws, contract
from sm_ssh_entry.sdk.wrappers.interactive import InteractiveSageMaker, SageMaker
from sm_ssh_entry.sdk.wrappers.manager import SSMManager
from tests.connect import resources
from tests.connect.world import Fleet


@pytest.mark.usefixtures("laptop")
def test_jobs_endpoints_and_apps_with_their_newest_node(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    sagemaker = aws.client("sagemaker")
    for name in ("here", "silent"):
        resources.training(sagemaker, name)
    fleet.add("here", online=False, registered=-7200)
    node_id = fleet.add("here", tags={contract.TAG_OWNER: "me"})
    resources.endpoint(sagemaker, "endpoint", [resources.variant("blue", resources.model(sagemaker, "model", "word"))])
    serving = fleet.add("", "", kind="inference", tags={contract.TAG_SESSION_ID: "word"})
    domain = resources.domain(sagemaker)
    resources.space(sagemaker, domain, "space")
    lists = InteractiveSageMaker(SageMaker(), SSMManager())
    jobs = {one.training_job_name: one for one in lists.list_training_jobs(lists._nodes("training"))}
    assert jobs["here"].ssm_instance_id == node_id
    assert (jobs["here"].ssh_owner, jobs["here"].ping_status) == ("me", "Online")
    lists.print_training_jobs()
    shown = sorted(capsys.readouterr().out.splitlines())
    assert [line.split() for line in shown] == [
        ["Online", "TrainingJob", jobs["here"].training_job_status, "here.training.sagemaker"],
        ["ssh:NotFound", "TrainingJob", jobs["silent"].training_job_status, "silent.training.sagemaker"],
    ]
    (endpoint,) = lists.list_endpoints({})
    assert (endpoint.name, endpoint.ssm_instance_id) == ("endpoint", serving)
    (app,) = lists.list_studio_ide_apps_for_user("space")
    assert str(app).split()[-1] == f"{app.app_name}.space.{domain}.studio.sagemaker"
    assert lists.list_studio_ide_apps_for_user_and_domain("d-other", "space") == []
