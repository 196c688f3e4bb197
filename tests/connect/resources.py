"""Resources on the plane as a user's account has them: jobs, models, endpoints, spaces and clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/Role"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1"


def training(sagemaker: Any, name: str, *, count: int = 1, debug: bool = False, **more: Any) -> None:
    """Create a training job; it has no container."""
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": "s3://bucket/"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        **({"RemoteDebugConfig": {"EnableRemoteDebug": True}} if debug else {}),
        **more,
    )


def model(sagemaker: Any, name: str, *session_ids: str, **variables: str) -> str:
    """Create a model whose containers have these session ids, ``""``: none, and variables; several are a pipeline."""
    containers = [
        {"Image": IMAGE, "Environment": {"START_SSH": "true", **variables, **({"SSH_SESSION_ID": one} if one else {})}}
        for one in session_ids or ("",)
    ]
    given = {"PrimaryContainer": containers[0]} if len(containers) == 1 else {"Containers": containers}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, **given)
    return name


def variant(name: str, model_name: str = "", **more: Any) -> dict[str, Any]:
    """A variant of an endpoint's configuration; without a model for inference components."""
    given = {"ModelName": model_name} if model_name else {"ExecutionRoleArn": ROLE}
    return {"VariantName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1, **given, **more}


def endpoint(sagemaker: Any, name: str, variants: Sequence[dict[str, Any]]) -> str:
    """Create an endpoint and its configuration."""
    bare = {} if all("ModelName" in one for one in variants) else {"ExecutionRoleArn": ROLE}
    given = [{key: value for key, value in one.items() if key != "ExecutionRoleArn"} for one in variants]
    sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-config", ProductionVariants=given, **bare)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-config")
    return name


def component(sagemaker: Any, name: str, of: str, on: str, **specification: Any) -> None:
    """Create an inference component."""
    sagemaker.create_inference_component(
        InferenceComponentName=name,
        EndpointName=of,
        VariantName=on,
        Specification={"ComputeResourceRequirements": {"MinMemoryRequiredInMb": 128}, **specification},
        RuntimeConfig={"CopyCount": 1},
    )


def domain(sagemaker: Any, name: str = "domain") -> str:
    """Create a Studio domain and a user profile; return the domain's id."""
    made = sagemaker.create_domain(
        DomainName=name,
        AuthMode="IAM",
        DefaultUserSettings={"ExecutionRole": ROLE},
        SubnetIds=["subnet-1"],
        VpcId="vpc-1",
    )
    found = str(made["DomainArn"]).rpartition("/")[2]
    sagemaker.create_user_profile(DomainId=found, UserProfileName="me")
    return found


def space(sagemaker: Any, of: str, name: str, *, remote: bool = True, running: bool = True) -> None:
    """Create a space, and its app."""
    sagemaker.create_space(
        DomainId=of,
        SpaceName=name,
        OwnershipSettings={"OwnerUserProfileName": "me"},
        SpaceSharingSettings={"SharingType": "Private"},
        SpaceSettings={"AppType": "JupyterLab", "RemoteAccess": "ENABLED" if remote else "DISABLED"},
    )
    if running:
        sagemaker.create_app(DomainId=of, SpaceName=name, AppType="JupyterLab", AppName="default")


def cluster(sagemaker: Any, name: str, **groups: int) -> None:
    """Create a HyperPod cluster with groups of so many instances."""
    sagemaker.create_cluster(
        ClusterName=name,
        InstanceGroups=[
            {
                "InstanceCount": count,
                "InstanceGroupName": group.replace("_", "-"),
                "InstanceType": "ml.m5.large",
                "LifeCycleConfig": {"SourceS3Uri": "s3://sagemaker-bucket/", "OnCreate": "on.sh"},
                "ExecutionRole": ROLE,
            }
            for group, count in groups.items()
        ],
    )
