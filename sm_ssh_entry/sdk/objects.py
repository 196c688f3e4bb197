"""Which object of which SDK it is, by the names of its classes: nothing of an SDK is imported for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk import models, processing, training
from sm_ssh_entry.sdk.state import Submission

_READERS: dict[str, Callable[[Any], Submission]] = {
    # v2
    "sagemaker.estimator.EstimatorBase": training.estimator,
    "sagemaker.modules.train.model_trainer.ModelTrainer": training.trainer,
    "sagemaker.tuner.HyperparameterTuner": training.tuner,
    "sagemaker.remote_function.job._JobSettings": training.remote,
    "sagemaker.processing.Processor": processing.processor,
    "sagemaker.model.Model": models.model,
    "sagemaker.multidatamodel.MultiDataModel": models.multi_model,
    "sagemaker.pipeline.PipelineModel": models.inference_pipeline,
    "sagemaker.serve.builder.model_builder.ModelBuilder": models.builder,
    "sagemaker.transformer.Transformer": models.transformer,
    # v3
    "sagemaker.train.model_trainer.ModelTrainer": training.trainer,
    "sagemaker.train.tuner.HyperparameterTuner": training.tuner,
    "sagemaker.core.remote_function.job._JobSettings": training.remote,
    "sagemaker.train.remote_function.job._JobSettings": training.remote,
    "sagemaker.core.processing.Processor": processing.processor,
    "sagemaker.serve.model_builder.ModelBuilder": models.builder,
    "sagemaker.core.transformer.Transformer": models.transformer,
}
_PIPELINES = {"sagemaker.workflow.pipeline.Pipeline", "sagemaker.mlops.workflow.pipeline.Pipeline"}
_OWN_IMAGES = {
    "sagemaker.amazon.amazon_estimator.AmazonAlgorithmEstimatorBase",
    "sagemaker.algorithm.AlgorithmEstimator",
}
_HINT = (
    "estimators, trainers, tuners, processors, models, model builders, transformers, functions under @remote and "
    "pipelines can have it, and requests as dicts"
)


def is_pipeline(target: object) -> bool:
    """Tell whether an object is a pipeline of one of the SDKs."""
    return not _PIPELINES.isdisjoint(_names(target))


def submission(target: Any) -> Submission:
    """Return what an object will submit.

    Raises:
        BadInput: it cannot have SSH.
    """
    if isinstance(target, type):
        raise _of_class(target)
    names = _names(target)
    if not _OWN_IMAGES.isdisjoint(names):
        raise BadInput(
            f"{type(target).__name__}: it runs an image of the algorithm's, and that has no SSH in it",
            hint="an Estimator with an image of your own can have it",
        )
    for name in [*names, *_names(getattr(target, "job_settings", None))]:
        if name in _READERS:
            found = _READERS[name](target)
            # What a pipeline's session "submits" becomes part of a definition, which can still be made anew.
            planned = any(each.endswith(".PipelineSession") for each in _names(found.session))
            return found._replace(names=(), submitted="") if planned else found
    if names[0].startswith("sagemaker.core.resources."):
        raise BadInput(f"this {type(target).__name__} exists already", hint=_hint_of_class(type(target)))
    raise BadInput(f"{names[0].removeprefix('builtins.')}: that cannot have SSH", hint=_HINT)


def _names(target: object) -> list[str]:
    return [f"{each.__module__}.{each.__qualname__}" for each in type(target).__mro__]


def _of_class(target: type) -> BadInput:
    if target.__module__ == "sagemaker.core.resources":
        return BadInput(f"{target.__name__} is a class", hint=_hint_of_class(target))
    return BadInput(f"{target.__name__} is a class", hint="make an object of it first")


def _hint_of_class(target: type) -> str:
    return f"{target.__name__}.create(**enable_ssh(dict(…))), the dict holding what create takes"
