"""The account: whose credentials, in which region, and the region's settings."""

from __future__ import annotations

from sm_ssh_entry import aws
from sm_ssh_entry.connect import elsewhere
from sm_ssh_entry.connect.doctor.case import Case, Identity
from sm_ssh_entry.connect.doctor.findings import Finding, bad, ok
from sm_ssh_entry.errors import WrongRegion

TIER = "/ssm/managed-instance/activation-tier"
_ADVANCED = "advanced"


def region(case: Case) -> Finding:
    """Is a region set, and is it one?"""
    here = case.region
    if not here:
        return bad("no AWS region is set", "export AWS_REGION=us-east-1 (or --region, or region in the profile)")
    try:
        elsewhere.check_region(case.access)
    except WrongRegion as error:
        return bad(error.message, f"export AWS_REGION=us-east-1 in place of {here}, or give --region")
    return ok(here)


def credentials(case: Case) -> Finding:
    """Are there credentials, does AWS take them, and whose are they?"""
    with aws.errors_of(action="sts:GetCallerIdentity", region=case.region):
        answer = case.client("sts").get_caller_identity()
    case.identity = Identity(str(answer["Arn"]), str(answer["UserId"]), str(answer["Account"]))
    return ok(f"{case.identity.arn}, aws:userid {case.identity.user_id}")


def tier(case: Case) -> Finding:
    """Is the advanced-instances tier on, without which Session Manager refuses hybrid nodes?"""
    with aws.errors_of(action="ssm:GetServiceSetting", region=case.region):
        answer = case.client("ssm").get_service_setting(SettingId=TIER)
    value = str(answer["ServiceSetting"]["SettingValue"])
    case.tier_off = value != _ADVANCED
    if case.tier_off:
        return bad(
            f"the tier of managed nodes is {value}: Session Manager refuses hybrid nodes",
            f"aws ssm update-service-setting --region {case.region} --setting-id {TIER} --setting-value {_ADVANCED}",
        )
    return ok("advanced")
