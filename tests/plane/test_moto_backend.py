"""The rest of AWS through the plane: moto, behind the same endpoint and the same signature check."""

from __future__ import annotations

import io
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane.credentials import Credential
from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.conftest import ClientMaker

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def code_of(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


def get(url: str, cafile: str | None = None) -> bytes:
    context = ssl.create_default_context(cafile=cafile) if cafile else None
    with urllib.request.urlopen(url, context=context, timeout=120) as answer:
        return bytes(answer.read())


def forbidden(url: str, cafile: str | None = None) -> bytes:
    with pytest.raises(urllib.error.HTTPError) as raised:
        get(url, cafile)
    with raised.value as answer:
        assert answer.code == 403
        return bytes(answer.read())


@pytest.mark.parametrize("tls", [False, True])
def test_s3_keeps_objects_and_presigned_urls_fetch_them(
    shared_plane: PlaneThread, client: ClientMaker, *, tls: bool
) -> None:
    s3, key, data = client("s3", tls=tls), "dir/a b+c~é.tar.gz", bytes(range(256)) * 8000
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key=key, Body=data, Metadata={"a_b": "c"})
    s3.upload_fileobj(io.BytesIO(data), "bucket", "streamed")
    assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == data
    assert s3.get_object(Bucket="bucket", Key="streamed")["Body"].read() == data
    head = s3.head_object(Bucket="bucket", Key=key)
    assert (head["ContentLength"], head["Metadata"]) == (len(data), {"a_b": "c"})
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="bucket", Prefix="dir/")["Contents"]] == [key]
    cafile = str(shared_plane.ca_file) if tls else None
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": key})
    assert get(url, cafile) == data
    user = shared_plane.plane.credentials.user.access_key
    for refused in (url.replace(user, "AKIA" + "X" * 16), url.split("?")[0], url.replace("Expires=1", "Expires=0")):
        assert b"<Code>AccessDenied</Code>" in forbidden(refused, cafile)


def test_sts_iam_logs_and_sagemaker_answer(client: ClientMaker) -> None:
    iam, logs, sagemaker = client("iam"), client("logs"), client("sagemaker")
    role = iam.create_role(RoleName="Nodes", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    assert iam.get_role(RoleName="Nodes")["Role"]["Arn"] == role
    logs.create_log_group(logGroupName="/aws/sagemaker/TrainingJobs")
    assert [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]] == ["/aws/sagemaker/TrainingJobs"]
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": "i"})
    assert sagemaker.describe_model(ModelName="m")["ExecutionRoleArn"] == role
    assert client("sts").get_caller_identity()["Account"] == "123456789012"


def test_parameters_of_ssm_are_motos(ssm: Any) -> None:
    ssm.put_parameter(Name="/a", Value="v", Type="String")
    assert ssm.get_parameter(Name="/a")["Parameter"]["Value"] == "v"
    with pytest.raises(ClientError) as raised:
        ssm.get_parameter(Name="/none")
    assert code_of(raised) == "ParameterNotFound"


def test_keys_that_moto_gave_out_are_accepted_and_checked(client: ClientMaker) -> None:
    iam = client("iam")
    role = iam.create_role(RoleName="Nodes", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.create_user(UserName="somebody")
    made = iam.create_access_key(UserName="somebody")["AccessKey"]
    from sm_ssh_entry.plane.api import Caller

    user = Credential(Caller(made["AccessKeyId"]), made["SecretAccessKey"])
    assert client("sts", credential=user).get_caller_identity()["Arn"].endswith(":user/somebody")
    given = client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    assumed = Credential(Caller(given["AccessKeyId"]), given["SecretAccessKey"], given["SessionToken"])
    assert client("sts", credential=assumed).get_caller_identity()["Arn"].endswith("assumed-role/Nodes/session")
    assert client("ssm", credential=assumed).describe_activations()["ActivationList"] == []
    forged = Credential(Caller(given["AccessKeyId"]), "guess", given["SessionToken"])
    with pytest.raises(ClientError) as raised:
        client("ssm", credential=forged).describe_activations()
    assert code_of(raised) == "InvalidSignatureException"


def test_errors_are_in_the_callers_dialect(shared_plane: PlaneThread, client: ClientMaker) -> None:
    expired = shared_plane.call(lambda plane: plane.credentials.issue(expires_in=-1))
    unknown = Credential(expired.caller.__class__("AKIA" + "Z" * 16), "x")
    denied = shared_plane.call(lambda plane: plane.credentials.issue(deny=["s3:*", "iam:ListRoles", "sagemaker:*"]))
    for service, operation, credential, code in (
        ("s3", "list_buckets", expired, "ExpiredToken"),
        ("iam", "list_roles", expired, "ExpiredToken"),
        ("sagemaker", "list_models", expired, "ExpiredTokenException"),
        ("s3", "list_buckets", unknown, "InvalidAccessKeyId"),
        ("iam", "list_roles", unknown, "InvalidClientTokenId"),
        ("sagemaker", "list_models", unknown, "UnrecognizedClientException"),
        ("s3", "list_buckets", denied, "AccessDenied"),
        ("iam", "list_roles", denied, "AccessDenied"),
        ("sagemaker", "list_models", denied, "AccessDeniedException"),
    ):
        with pytest.raises(ClientError) as raised:
            getattr(client(service, credential=credential), operation)()
        assert code_of(raised) == code, (service, code)


def test_reset_empties_moto_too(shared_plane: PlaneThread, client: ClientMaker) -> None:
    iam = client("iam")
    iam.create_role(RoleName="Nodes", AssumeRolePolicyDocument=TRUST)
    shared_plane.reset()
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["sm-ssh-local"]


def test_motos_own_port_serves_nobody_but_the_plane(shared_plane: PlaneThread, client: ClientMaker) -> None:
    client("s3").create_bucket(Bucket="bucket")
    port = shared_plane.plane.moto._server.server_port
    assert forbidden(f"http://127.0.0.1:{port}/bucket") == b""
    assert b"AccessDenied" in forbidden(f"{shared_plane.url}/moto-api/data.json")
