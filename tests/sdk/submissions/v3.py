"""Submissions with SageMaker's SDK v3, each without and with SSH; writes what the service would receive."""

# mypy: ignore-errors

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from recorder import ROLE, Recorder, run
from sagemaker.core import resources, shapes
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.network import NetworkConfig
from sagemaker.core.parameter import ContinuousParameter
from sagemaker.core.processing import FrameworkProcessor, Processor, ScriptProcessor
from sagemaker.core.spark.processing import PySparkProcessor
from sagemaker.core.training.configs import Compute, Networking, OutputDataConfig, SourceCode
from sagemaker.core.transformer import Transformer
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.tuner import HyperparameterTuner

SSH = Callable[..., Any]
IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/mine:ssh"
SCRIPT = str(Path(sys.argv[1]) / "script.py")
S3 = "s3://bucket/folder"
ONE = {"instance_count": 1, "instance_type": "ml.m5.large"}


@lru_cache
def session(recorder: Recorder, kind: type[Session] = Session) -> Session:
    return kind(boto_session=recorder.session, default_bucket="bucket")


def trainer(recorder: Recorder, **more: Any) -> ModelTrainer:
    options: dict[str, Any] = {
        "training_image": IMAGE,
        "role": ROLE,
        "base_job_name": "job",
        "compute": Compute(**ONE),
        "output_data_config": OutputDataConfig(s3_output_path=S3),
        "sagemaker_session": session(recorder),
    }
    return ModelTrainer(**{**options, **more})


def source() -> SourceCode:
    return SourceCode(source_dir=str(Path(SCRIPT).parent), entry_script="script.py")


def train(recorder: Recorder, ssh: SSH) -> Any:
    one = trainer(recorder, environment={"MINE": "1"})
    assert ssh(one) is one
    one.train(wait=False, logs=False)
    return one.environment


def train_source_code(recorder: Recorder, ssh: SSH) -> None:
    one = trainer(recorder, source_code=source())
    ssh(one)
    one.train(wait=False, logs=False)
    one.train(wait=False, logs=False)


def train_request_of_boto3(recorder: Recorder, ssh: SSH) -> Any:
    one = trainer(recorder, source_code=source())
    ssh(one)
    return one._create_training_job_args(boto3=True)["AlgorithmSpecification"]["ContainerEntrypoint"]


def copied(recorder: Recorder, ssh: SSH) -> None:
    """What a copy submits is its own."""
    one = trainer(recorder, source_code=source())
    ssh(one)
    other = one.model_copy()
    other.base_job_name = "other"
    other.train(wait=False, logs=False)


def tune(recorder: Recorder, ssh: SSH) -> None:
    one = trainer(recorder, hyperparameters={"a": "1"})
    tuner = HyperparameterTuner(
        one,
        "loss",
        {"rate": ContinuousParameter(0, 1)},
        metric_definitions=[{"Name": "loss", "Regex": "loss=(.*)"}],
    )
    ssh(tuner)
    tuner.tune(job_name="tune-1", wait=False)


def process_bare(recorder: Recorder, ssh: SSH) -> Any:
    one = Processor(role=ROLE, image_uri=IMAGE, sagemaker_session=session(recorder), **ONE)
    ssh(one)
    one.run(job_name="job-1", wait=False, logs=False)
    return one.entrypoint


def process_own_entrypoint(recorder: Recorder, ssh: SSH) -> None:
    one = Processor(
        role=ROLE, image_uri=IMAGE, entrypoint=["python3", "/a.py"], sagemaker_session=session(recorder), **ONE
    )
    ssh(one)
    one.run(job_name="job-1", wait=False, logs=False)
    one.run(job_name="job-2", wait=False, logs=False)


def process_script(recorder: Recorder, ssh: SSH) -> None:
    one = ScriptProcessor(
        role=ROLE, image_uri=IMAGE, command=["python3"], sagemaker_session=session(recorder), env={"MINE": "1"}, **ONE
    )
    ssh(one)
    for name in ("job-1", "job-2"):
        one.run(SCRIPT, job_name=name, arguments=["--a"], wait=False, logs=False)


def process_framework(recorder: Recorder, ssh: SSH) -> None:
    one = FrameworkProcessor(image_uri=IMAGE, role=ROLE, sagemaker_session=session(recorder), **ONE)
    ssh(one)
    for name in ("job-1", "job-2"):
        one.run("script.py", source_dir=str(Path(SCRIPT).parent), job_name=name, wait=False, logs=False)


def process_spark(recorder: Recorder, ssh: SSH) -> None:
    one = PySparkProcessor(role=ROLE, image_uri=IMAGE, sagemaker_session=session(recorder), **ONE)
    ssh(one)
    for name in ("job-1", "job-2"):
        one.run(SCRIPT, job_name=name, wait=False, logs=False)


def builder(recorder: Recorder, **more: Any) -> ModelBuilder:
    options = {"image_uri": IMAGE, "s3_model_data_url": f"{S3}/model.tar.gz", "role_arn": ROLE}
    return ModelBuilder(**{**options, "sagemaker_session": session(recorder), **more})


def serve(recorder: Recorder, ssh: SSH) -> None:
    one = ssh(builder(recorder, env_vars={"MINE": "1"}))
    one.build(model_name="model-1")
    one.deploy(endpoint_name="endpoint-1", initial_instance_count=1, instance_type="ml.m5.large", wait=False)


def serve_several(recorder: Recorder, ssh: SSH) -> Any:
    both = [builder(recorder), builder(recorder)]
    ssh(ModelBuilder(modelbuilder_list=both, role_arn=ROLE, sagemaker_session=session(recorder)))
    return [one.env_vars for one in both]


def transform(recorder: Recorder, ssh: SSH) -> None:
    one = Transformer("model-1", output_path=S3, sagemaker_session=session(recorder), env={"MINE": "1"}, **ONE)
    ssh(one)
    one.transform(S3, job_name="job-1", wait=False, logs=False)


def resource_training(recorder: Recorder, ssh: SSH) -> Any:
    request = {
        "training_job_name": "job-1",
        "algorithm_specification": shapes.AlgorithmSpecification(
            training_image=IMAGE, training_input_mode="File", container_entrypoint=["python3", "/a.py"]
        ),
        "role_arn": ROLE,
        "output_data_config": shapes.OutputDataConfig(s3_output_path=S3),
        "resource_config": shapes.ResourceConfig(volume_size_in_gb=30, **ONE),
        "stopping_condition": shapes.StoppingCondition(max_runtime_in_seconds=60),
        "session": recorder.session,
    }
    resources.TrainingJob.create(**ssh(request))
    return request["algorithm_specification"].container_entrypoint


def resource_processing(recorder: Recorder, ssh: SSH) -> None:
    cluster = shapes.ProcessingClusterConfig(volume_size_in_gb=30, **ONE)
    request = {
        "processing_job_name": "job-1",
        "app_specification": shapes.AppSpecification(image_uri=IMAGE, container_entrypoint=["bash"]),
        "processing_resources": shapes.ProcessingResources(cluster_config=cluster),
        "role_arn": ROLE,
        "environment": {"MINE": "1"},
        "session": recorder.session,
    }
    resources.ProcessingJob.create(**ssh(request))


def resource_model(recorder: Recorder, ssh: SSH) -> None:
    request = {
        "model_name": "model-1",
        "primary_container": shapes.ContainerDefinition(image=IMAGE),
        "execution_role_arn": ROLE,
        "session": recorder.session,
    }
    resources.Model.create(**ssh(request))


def _steps(recorder: Recorder, ssh: SSH) -> list[Any]:
    """Return a training and a processing step; what ``ssh`` is given are their objects."""
    inside = session(recorder, PipelineSession)
    one = trainer(recorder, sagemaker_session=inside, source_code=source())
    two = ScriptProcessor(role=ROLE, image_uri=IMAGE, command=["python3"], sagemaker_session=inside, **ONE)
    ssh(one)
    ssh(two)
    return [TrainingStep("train", step_args=one.train()), ProcessingStep("process", step_args=two.run(f"{S3}/a.py"))]


def pipeline_objects(recorder: Recorder, ssh: SSH) -> Any:
    steps = _steps(recorder, ssh)
    return Pipeline("pipe", steps=steps, sagemaker_session=session(recorder, PipelineSession)).definition()


def pipeline_whole(recorder: Recorder, ssh: SSH) -> None:
    steps = _steps(recorder, lambda one: one)
    pipeline = Pipeline("pipe", steps=steps, sagemaker_session=session(recorder, PipelineSession))
    ssh(pipeline)
    pipeline.create(ROLE)


def remote(recorder: Recorder, ssh: SSH) -> None:
    from sagemaker.core.remote_function import remote
    from sagemaker.core.remote_function.errors import RemoteFunctionError

    common = {"image_uri": IMAGE, "role": ROLE, "instance_type": "ml.m5.large", "s3_root_uri": S3}
    inside = session(recorder)

    @remote(sagemaker_session=inside, environment_variables={"MINE": "1"}, **common)
    def double(number: int) -> int:
        return 2 * number

    @remote(sagemaker_session=inside, **common)
    def other(number: int) -> int:
        return number

    ssh(double)
    for function in (double, other):
        try:
            function(3)
        except RemoteFunctionError as error:  # what the recorder says of every job
            assert "aborted" in str(error)  # noqa: PT017


def too_late(recorder: Recorder, ssh: SSH) -> None:
    one = trainer(recorder)
    one.train(wait=False, logs=False)
    ssh(one)


def too_late_for_a_builder(recorder: Recorder, ssh: SSH) -> None:
    one = builder(recorder)
    one.build(model_name="model-1")
    ssh(one)


def isolated_trainer(recorder: Recorder, ssh: SSH) -> None:
    ssh(trainer(recorder, networking=Networking(enable_network_isolation=True)))


def isolated_processor(recorder: Recorder, ssh: SSH) -> None:
    network = NetworkConfig(enable_network_isolation=True)
    ssh(Processor(role=ROLE, image_uri=IMAGE, sagemaker_session=session(recorder), network_config=network, **ONE))


def a_resource_class(recorder: Recorder, ssh: SSH) -> None:
    ssh(resources.TrainingJob)


def a_resource(recorder: Recorder, ssh: SSH) -> None:
    ssh(resources.TrainingJob(training_job_name="job-1"))


if __name__ == "__main__":
    CASES = {name: case for name, case in list(globals().items()) if getattr(case, "__module__", "") == "__main__"}
    helpers = ("session", "trainer", "builder", "source", "_steps")
    run({name: case for name, case in CASES.items() if callable(case) and name not in helpers})
