"""Submissions with SageMaker's SDK v2, each without and with SSH; writes what the service would receive."""

# mypy: ignore-errors

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from recorder import OWNER, ROLE, Recorder, run
from sagemaker.estimator import Estimator
from sagemaker.model import Model, ModelPackage
from sagemaker.multidatamodel import MultiDataModel
from sagemaker.network import NetworkConfig
from sagemaker.pipeline import PipelineModel
from sagemaker.processing import FrameworkProcessor, Processor, ScriptProcessor
from sagemaker.pytorch import PyTorch, PyTorchModel
from sagemaker.session import Session
from sagemaker.spark.processing import PySparkProcessor, SparkJarProcessor
from sagemaker.transformer import Transformer
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep, TrainingStep

SSH = Callable[..., Any]
IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/mine:ssh"
SCRIPT = str(Path(sys.argv[1]) / "script.py")
JAR = str(Path(sys.argv[1]) / "code.jar")
S3 = "s3://bucket/folder"
ONE = {"instance_count": 1, "instance_type": "ml.m5.large"}


@lru_cache
def session(recorder: Recorder, kind: type[Session] = Session) -> Session:
    return kind(boto_session=recorder.session, default_bucket="bucket")


def estimator(recorder: Recorder, **more: Any) -> Estimator:
    options = {"image_uri": IMAGE, "role": ROLE, "output_path": S3, "sagemaker_session": session(recorder), **ONE}
    return Estimator(**{**options, **more})


def train(recorder: Recorder, ssh: SSH) -> Any:
    one = estimator(recorder)
    assert ssh(one) is one
    one.fit(job_name="job-1", wait=False)
    return one.environment


def train_own_entrypoint(recorder: Recorder, ssh: SSH) -> Any:
    shared = {"MINE": "1"}
    one = estimator(recorder, container_entry_point=["python3", "/a.py"], environment=shared)
    ssh(one)
    one.fit(job_name="job-1", wait=False)
    one.fit(job_name="job-2", wait=False)
    return shared


def train_framework(recorder: Recorder, ssh: SSH) -> None:
    one = PyTorch(
        SCRIPT, image_uri=IMAGE, role=ROLE, output_path=S3, code_location=S3, sagemaker_session=session(recorder), **ONE
    )
    ssh(one)
    one.fit(job_name="job-1", wait=False)


def tune(recorder: Recorder, ssh: SSH) -> None:
    tuner = HyperparameterTuner(
        estimator(recorder, container_entry_point=["python3"]),
        "loss",
        {"rate": ContinuousParameter(0, 1)},
        metric_definitions=[{"Name": "loss", "Regex": "loss=(.*)"}],
    )
    ssh(tuner)
    tuner.fit(job_name="tune-1", wait=False)


def tune_several(recorder: Recorder, ssh: SSH) -> None:
    both = {"a": estimator(recorder), "b": estimator(recorder, environment={"MINE": "1"})}
    tuner = HyperparameterTuner.create(
        both,
        dict.fromkeys(both, "loss"),
        {name: {"rate": ContinuousParameter(0, 1)} for name in both},
        metric_definitions_dict={name: [{"Name": "loss", "Regex": "loss=(.*)"}] for name in both},
    )
    ssh(tuner)
    tuner.fit(job_name="tune-1", wait=False, include_cls_metadata=dict.fromkeys(both, False))


def process_bare(recorder: Recorder, ssh: SSH) -> Any:
    one = Processor(ROLE, IMAGE, sagemaker_session=session(recorder), **ONE)
    ssh(one)
    one.run(job_name="job-1", wait=False, logs=False)
    return one.entrypoint


def process_own_entrypoint(recorder: Recorder, ssh: SSH) -> None:
    one = Processor(ROLE, IMAGE, entrypoint=["python3", "/a.py"], sagemaker_session=session(recorder), **ONE)
    ssh(one)
    one.run(job_name="job-1", wait=False, logs=False)
    one.run(job_name="job-2", wait=False, logs=False)
    one.entrypoint = ["bash"]
    one.run(job_name="job-3", wait=False, logs=False)


def process_script(recorder: Recorder, ssh: SSH) -> None:
    one = ScriptProcessor(
        role=ROLE, image_uri=IMAGE, command=["python3"], sagemaker_session=session(recorder), env={"MINE": "1"}, **ONE
    )
    ssh(one)
    for name in ("job-1", "job-2"):
        one.run(SCRIPT, job_name=name, arguments=["--a"], wait=False, logs=False)


def copied(recorder: Recorder, ssh: SSH) -> None:
    """What a copy submits is its own."""
    one = ScriptProcessor(role=ROLE, image_uri=IMAGE, command=["python3"], sagemaker_session=session(recorder), **ONE)
    ssh(one)
    other = copy.copy(one)
    other.command = ["bash"]
    other.run(SCRIPT, job_name="job-1", wait=False, logs=False)


def process_framework(recorder: Recorder, ssh: SSH) -> None:
    one = FrameworkProcessor(
        PyTorch, "2.0", ROLE, image_uri=IMAGE, py_version="py310", sagemaker_session=session(recorder), **ONE
    )
    ssh(one)
    for name in ("job-1", "job-2"):
        one.run("script.py", source_dir=str(Path(SCRIPT).parent), job_name=name, wait=False, logs=False)


def process_spark(recorder: Recorder, ssh: SSH) -> None:
    one = PySparkProcessor(role=ROLE, image_uri=IMAGE, sagemaker_session=session(recorder), **ONE)
    ssh(one)
    for name in ("job-1", "job-2"):
        one.run(SCRIPT, job_name=name, wait=False, logs=False)


def process_spark_jar(recorder: Recorder, ssh: SSH) -> None:
    one = SparkJarProcessor(role=ROLE, image_uri=IMAGE, sagemaker_session=session(recorder), **ONE)
    ssh(one)
    one.run(JAR, "com.example.Main", job_name="job-1", wait=False, logs=False)


def serve(recorder: Recorder, ssh: SSH) -> None:
    one = Model(IMAGE, model_data=f"{S3}/model.tar.gz", role=ROLE, sagemaker_session=session(recorder), name="model-1")
    ssh(one)
    one.deploy(1, "ml.m5.large", endpoint_name="endpoint-1", wait=False)


def serve_framework(recorder: Recorder, ssh: SSH) -> None:
    one = PyTorchModel(
        model_data=f"{S3}/model.tar.gz",
        role=ROLE,
        entry_point=SCRIPT,
        image_uri=IMAGE,
        framework_version="1.1",
        py_version="py3",
        code_location=S3,
        sagemaker_session=session(recorder),
        name="model-1",
    )
    ssh(one)
    one.deploy(1, "ml.m5.large", endpoint_name="endpoint-1", wait=False)


def serve_several_models(recorder: Recorder, ssh: SSH) -> None:
    inner = Model(IMAGE, role=ROLE, sagemaker_session=session(recorder), env={"MINE": "1"})
    one = MultiDataModel("model-1", f"{S3}/", model=inner, sagemaker_session=session(recorder))
    ssh(one)
    one.deploy(1, "ml.m5.large", endpoint_name="endpoint-1", wait=False)


def serve_several_models_of_image(recorder: Recorder, ssh: SSH) -> None:
    one = MultiDataModel("model-1", f"{S3}/", image_uri=IMAGE, role=ROLE, sagemaker_session=session(recorder))
    ssh(one)
    one.deploy(1, "ml.m5.large", endpoint_name="endpoint-1", wait=False)


def serve_pipeline(recorder: Recorder, ssh: SSH) -> None:
    models = [Model(IMAGE, sagemaker_session=session(recorder), env={"MINE": word}) for word in "ab"]
    one = PipelineModel(models, ROLE, name="model-1", sagemaker_session=session(recorder))
    ssh(one)
    one.deploy(1, "ml.m5.large", endpoint_name="endpoint-1", wait=False)


def transform(recorder: Recorder, ssh: SSH) -> None:
    one = Transformer("model-1", output_path=S3, sagemaker_session=session(recorder), env={"MINE": "1"}, **ONE)
    ssh(one)
    one.transform(S3, job_name="job-1", wait=False, logs=False)


def _steps(recorder: Recorder, ssh: SSH) -> list[Any]:
    """Return a training and a processing step; what ``ssh`` is given are their objects."""
    inside = session(recorder, PipelineSession)
    one = estimator(recorder, sagemaker_session=inside, container_entry_point=["python3", "/a.py"])
    two = ScriptProcessor(role=ROLE, image_uri=IMAGE, command=["python3"], sagemaker_session=inside, **ONE)
    ssh(one)
    ssh(two)
    return [TrainingStep("train", step_args=one.fit()), ProcessingStep("process", step_args=two.run(f"{S3}/script.py"))]


def pipeline_objects(recorder: Recorder, ssh: SSH) -> Any:
    steps = _steps(recorder, ssh)
    return Pipeline("pipe", steps=steps, sagemaker_session=session(recorder, PipelineSession)).definition()


def pipeline_whole(recorder: Recorder, ssh: SSH) -> Any:
    steps = _steps(recorder, lambda one: one)
    pipeline = Pipeline("pipe", steps=steps, sagemaker_session=session(recorder, PipelineSession))
    ssh(pipeline)
    pipeline.create(ROLE)
    return pipeline.definition() == pipeline.definition()


def pipeline_definition(recorder: Recorder, ssh: SSH) -> Any:
    steps = _steps(recorder, lambda one: one)
    definition = Pipeline("pipe", steps=steps, sagemaker_session=session(recorder, PipelineSession)).definition()
    return ssh(definition, owner=OWNER)


def trainer(recorder: Recorder, ssh: SSH) -> None:
    from sagemaker.modules import Session as OtherSession
    from sagemaker.modules.configs import Compute, OutputDataConfig, SourceCode
    from sagemaker.modules.train import ModelTrainer

    one = ModelTrainer(
        training_image=IMAGE,
        role=ROLE,
        base_job_name="job",
        compute=Compute(**ONE),
        output_data_config=OutputDataConfig(s3_output_path=S3),
        source_code=SourceCode(source_dir=str(Path(SCRIPT).parent), entry_script="script.py"),
        sagemaker_session=OtherSession(boto_session=recorder.session, default_bucket="bucket"),
    )
    ssh(one)
    one.train(wait=False, logs=False)
    one.train(wait=False, logs=False)


def remote(recorder: Recorder, ssh: SSH) -> None:
    from sagemaker.remote_function import remote
    from sagemaker.remote_function.errors import RemoteFunctionError

    inside = session(recorder)
    common = {"image_uri": IMAGE, "role": ROLE, "instance_type": "ml.m5.large", "s3_root_uri": S3}

    @remote(sagemaker_session=inside, environment_variables={"MINE": "1"}, **common)
    def double(number: int) -> int:
        return 2 * number

    @remote(sagemaker_session=inside, **common)
    def other(number: int) -> int:
        return number

    ssh(double)
    for function in (double, other, double):
        try:
            function(3)
        except RemoteFunctionError as error:  # what the recorder says of every job
            assert "aborted" in str(error)  # noqa: PT017


def remote_executor(recorder: Recorder, ssh: SSH) -> None:
    from sagemaker.remote_function import RemoteExecutor

    common = {"image_uri": IMAGE, "role": ROLE, "instance_type": "ml.m5.large", "s3_root_uri": S3}
    with RemoteExecutor(sagemaker_session=session(recorder), **common) as executor:
        ssh(executor)
        executor.submit(lambda number: number, 3)


def objects_of_steps(recorder: Recorder, ssh: SSH) -> Any:
    """SSH comes when the steps are there already, and once more after a definition was made."""
    inside = session(recorder, PipelineSession)
    one = estimator(recorder, sagemaker_session=inside)
    pipeline = Pipeline("pipe", steps=[TrainingStep("train", step_args=one.fit())], sagemaker_session=inside)
    ssh(one)
    first = pipeline.definition()
    ssh(one)
    assert first == pipeline.definition()
    return json.loads(first)["Steps"][0]["Arguments"].get("Environment")


def model_package(recorder: Recorder, ssh: SSH) -> Any:
    arn = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/mine/1"
    one = ssh(ModelPackage(role=ROLE, model_package_arn=arn, sagemaker_session=session(recorder)))
    return one.env


def too_late(recorder: Recorder, ssh: SSH) -> None:
    one = estimator(recorder)
    one.fit(job_name="job-1", wait=False)
    ssh(one)


def twice(recorder: Recorder, ssh: SSH) -> Any:
    one = ssh(estimator(recorder))
    first = dict(one.environment or {})
    ssh(one)
    one.fit(job_name="job-1", wait=False)
    ssh(one)
    return first == (one.environment or {})


def twice_differently(recorder: Recorder, ssh: SSH) -> None:
    ssh(ssh(estimator(recorder)), connection_wait_time_seconds=5)


def isolated_estimator(recorder: Recorder, ssh: SSH) -> None:
    ssh(estimator(recorder, enable_network_isolation=True))


def isolated_processor(recorder: Recorder, ssh: SSH) -> None:
    network = NetworkConfig(enable_network_isolation=True)
    ssh(Processor(ROLE, IMAGE, sagemaker_session=session(recorder), network_config=network, **ONE))


def isolated_model(recorder: Recorder, ssh: SSH) -> None:
    ssh(Model(IMAGE, role=ROLE, sagemaker_session=session(recorder), enable_network_isolation=True))


def built_in_algorithm(recorder: Recorder, ssh: SSH) -> None:
    from sagemaker import KMeans

    ssh(KMeans(ROLE, k=2, sagemaker_session=session(recorder), output_path=S3, data_location=S3, **ONE))


def a_class(recorder: Recorder, ssh: SSH) -> None:
    ssh(Estimator)


def a_session(recorder: Recorder, ssh: SSH) -> None:
    ssh(session(recorder))


def too_many_words(recorder: Recorder, ssh: SSH) -> None:
    one = ssh(
        ScriptProcessor(role=ROLE, image_uri=IMAGE, command=["a"] * 99, sagemaker_session=session(recorder), **ONE)
    )
    one.run(f"{S3}/script.py", wait=False, logs=False)


def too_many_variables(recorder: Recorder, ssh: SSH) -> Any:
    one = Transformer("model-1", env={f"V{n}": "" for n in range(12)}, sagemaker_session=session(recorder), **ONE)
    try:
        ssh(one)
    finally:
        assert len(one.env) == 12
        one.transform(S3, job_name="job-1", wait=False, logs=False)


if __name__ == "__main__":
    CASES = {name: case for name, case in list(globals().items()) if getattr(case, "__module__", "") == "__main__"}
    helpers = ("session", "estimator", "_steps")
    run({name: case for name, case in CASES.items() if callable(case) and name not in helpers})
