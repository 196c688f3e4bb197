"""Apps of Studio are made, looked at and removed; images are made of those in a registry."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import WaiterError

from sm_ssh_entry import aws
from sm_ssh_entry.errors import BadInput, NotRegistered, SmSshError
from sm_ssh_entry.sdk.wrappers import ide as ide_module
from sm_ssh_entry.sdk.wrappers.account import Account
from sm_ssh_entry.sdk.wrappers.ide import SSHIDE, IDEAppStatus, Image, NotebookInstance
from tests.connect import resources
from tests.connect.world import Fleet

ARN = "arn:aws:sagemaker:us-east-1:123456789012:image/mine"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ide_module, "_PAUSE", 0.01)


@pytest.mark.usefixtures("laptop")
def test_an_app_is_made_and_removed() -> None:
    ide = SSHIDE(resources.domain(aws.client("sagemaker")), "me")
    assert ide.get_app_status("one").status is None
    ide.create_ssh_kernel_app("one", image_name_or_arn=ARN)
    assert ide.get_app_status("one").is_in_service()
    made = aws.client("sagemaker").describe_app(
        DomainId=ide.domain_id, UserProfileName="me", AppType="KernelGateway", AppName="one"
    )
    assert made["ResourceSpec"]["SageMakerImageArn"] == ARN
    account = "arn:aws:sagemaker:us-east-1:123456789012"
    assert made["ResourceSpec"]["LifecycleConfigArn"] == f"{account}:studio-lifecycle-config/sagemaker-ssh-helper"
    with pytest.raises(BadInput, match="app one is in service"):
        ide.create_ssh_kernel_app("one")
    ide.create_ssh_kernel_app("one", recreate=True)
    ide.delete_kernel_app("one")
    assert not ide.get_app_status("one").is_in_service()
    ide.delete_app("another", "JupyterLab")


def test_a_status_says_why_an_app_failed() -> None:
    assert str(IDEAppStatus("Failed", "no capacity")) == "Failed, failure reason: no capacity"
    assert [str(IDEAppStatus(word)) for word in ("Pending", None)] == ["Pending", "None"]
    assert IDEAppStatus("Pending").is_in_transition()
    assert IDEAppStatus("Deleting").is_in_transition()
    assert not IDEAppStatus("InService").is_in_transition()


@pytest.mark.usefixtures("laptop")
def test_nodes_of_apps_and_of_notebook_instances(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    first = fleet.add("default.me.d-1", "", kind="studio")
    other = fleet.add("default.you.d-1", "", kind="studio")
    notebook = fleet.add("one", "", kind="notebook")
    assert SSHIDE("d-1", "me").get_kernel_instance_ids("default", 0) == [first]
    assert sorted(SSHIDE("", "").get_kernel_instance_ids("default", 0)) == sorted([first, other])
    SSHIDE("", "you").print_kernel_instance_id("default", 0)
    assert capsys.readouterr().out == f"{other}\n"
    with pytest.raises(NotRegistered, match="app nothing has no managed nodes"):
        SSHIDE("d-1", "me").get_kernel_instance_id("nothing", 0)
    assert NotebookInstance("one").get_instance_ids() == [notebook]
    assert "NotebookInstances" in NotebookInstance("one").get_cloudwatch_url()
    assert NotebookInstance("one").get_metadata_url().endswith("#/notebook-instances/one")


class Services:
    """SageMaker and STS as a script: images are there at once, and one that is removed was never there."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def get_credentials(self) -> None:
        """There are none."""

    def client(self, _service: str, **_: Any) -> Services:
        return self

    def get_waiter(self, name: str) -> Services:
        self.calls.append((name, {}))
        return self

    def wait(self, **_: Any) -> None:
        if self.calls[-1][0] == "image_deleted":
            raise WaiterError("image_deleted", "terminal failure", {})

    def __getattr__(self, method: str) -> Any:
        answers = {
            "create_image": {"ImageArn": ARN},
            "create_image_version": {"ImageVersionArn": f"{ARN}-version/mine/7"},
            "get_caller_identity": {"Account": "123456789012"},
        }

        def call(**arguments: Any) -> dict[str, str]:
            self.calls.append((method, arguments))
            return answers.get(method, {})

        return call


def test_an_image_replaces_one_of_its_name_and_the_domain_has_it() -> None:
    ide, services = SSHIDE("d-1", "me"), Services()
    ide.account = Account(services, "cn-north-1")
    made = ide.create_and_attach_image("mine", "repository:tag", "role", "config", [{"Name": "python3"}], {})
    assert made == Image(ARN, f"{ARN}-version/mine/7")
    called = dict(services.calls)
    assert list(called)[:4] == ["delete_image", "image_deleted", "create_image", "image_created"]
    assert called["create_image_version"]["BaseImage"] == (
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/repository:tag"
    )
    attached = called["update_domain"]["DefaultUserSettings"]["KernelGatewayAppSettings"]["CustomImages"]
    assert attached == [{"ImageName": "mine", "ImageVersionNumber": 7, "AppImageConfigName": "config"}]
    with pytest.raises(SmSshError, match="terminal failure"):
        ide.wait_for_image_deletion("mine")
