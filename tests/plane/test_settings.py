"""The tier of hybrid nodes."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.conftest import ClientMaker

PATH = "/ssm/managed-instance/activation-tier"
ARN = f"arn:aws:ssm:us-east-1:123456789012:servicesetting{PATH}"


def test_a_fresh_plane_can_be_logged_in_to(ssm: Any) -> None:
    found = ssm.get_service_setting(SettingId=PATH)["ServiceSetting"]
    assert (found["SettingValue"], found["Status"], found["ARN"]) == ("advanced", "Default", ARN)


@pytest.mark.parametrize("name", [PATH, ARN])
def test_changed_and_reset_under_either_name(ssm: Any, client: ClientMaker, name: str) -> None:
    ssm.update_service_setting(SettingId=name, SettingValue="standard")
    found = ssm.get_service_setting(SettingId=name)["ServiceSetting"]
    assert (found["SettingValue"], found["Status"]) == ("standard", "Customized")
    assert found["LastModifiedUser"].startswith("arn:aws:")
    elsewhere = client("ssm", region="eu-west-1").get_service_setting(SettingId=PATH)["ServiceSetting"]
    assert elsewhere["SettingValue"] == "advanced"
    assert ssm.reset_service_setting(SettingId=name)["ServiceSetting"]["SettingValue"] == "advanced"


def test_the_default_can_be_awss(shared_plane: PlaneThread, ssm: Any) -> None:
    shared_plane.call(lambda plane: setattr(plane.store.settings, "default_tier", "standard"))
    assert ssm.get_service_setting(SettingId=PATH)["ServiceSetting"]["SettingValue"] == "standard"


def test_what_cannot_be(ssm: Any) -> None:
    for operation, params, code in (
        ("get_service_setting", {"SettingId": "/ssm/none"}, "ServiceSettingNotFound"),
        ("get_service_setting", {"SettingId": ARN.replace("us-east-1", "eu-west-1")}, "ServiceSettingNotFound"),
        ("update_service_setting", {"SettingId": PATH, "SettingValue": "gold"}, "ValidationException"),
    ):
        with pytest.raises(ClientError) as raised:
            getattr(ssm, operation)(**params)
        assert raised.value.response["Error"]["Code"] == code
