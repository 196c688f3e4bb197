"""The role of what runs on the plane is there for whoever asks IAM, and may do what a job's role must."""

from __future__ import annotations

from typing import Any

import botocore.session

from sm_ssh_entry.plane import job_records
from sm_ssh_entry.plane.server import PlaneThread


def client(plane: PlaneThread, service: str) -> Any:
    keys = plane.environment()
    return botocore.session.get_session().create_client(
        service,
        region_name="us-east-1",
        endpoint_url=plane.url,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )


def test_the_role_of_a_record_is_there_after_a_reset_too() -> None:
    with PlaneThread() as plane:
        for name in ("one", "two"):
            client(plane, "iam").list_roles()  # moto is up
            for job in (name, f"{name}-more"):
                fields = {"name": job, "region": "us-east-1", "nodes": 1}
                plane.call(lambda running: job_records.note(running.store, fields))  # noqa: B023 - called at once
            arn = client(plane, "sagemaker").describe_training_job(TrainingJobName=name)["RoleArn"]
            role = client(plane, "iam").get_role(RoleName="sm-ssh-local")["Role"]
            assert role["Arn"] == arn
            services = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
            assert {"sagemaker.amazonaws.com", "ssm.amazonaws.com"} == set(services)
            for action in ("ssm:CreateActivation", "iam:PassRole", "ssmmessages:OpenDataChannel"):
                answer = client(plane, "iam").simulate_principal_policy(PolicySourceArn=arn, ActionNames=[action])
                assert answer["EvaluationResults"][0]["EvalDecision"] == "allowed"
            plane.reset()


def test_the_role_is_there_before_anything_runs_with_every_right_of_a_job() -> None:
    with PlaneThread() as plane:
        iam = client(plane, "iam")
        arn = "arn:aws:iam::123456789012:role/service-role/sm-ssh-local"
        for _ in range(2):
            asked = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["s3:GetObject", "kms:Decrypt"])
            assert [one["EvalDecision"] for one in asked["EvaluationResults"]] == ["allowed", "allowed"]
            assert iam.get_role(RoleName="sm-ssh-local")["Role"]["Arn"] == arn
            plane.reset()
        iam.close()
