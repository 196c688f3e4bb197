"""Lists of what runs, with the state of its node, under their older names."""

from sm_ssh_entry.sdk.wrappers.interactive import (
    InteractiveSageMaker,
    SageMaker,
    SageMakerCoreApp,
    SageMakerEndpoint,
    SageMakerNotebookInstance,
    SageMakerProcessingJob,
    SageMakerStudioApp,
    SageMakerTrainingJob,
    SageMakerTransformJob,
)

__all__ = [
    "InteractiveSageMaker",
    "SageMaker",
    "SageMakerCoreApp",
    "SageMakerEndpoint",
    "SageMakerNotebookInstance",
    "SageMakerProcessingJob",
    "SageMakerStudioApp",
    "SageMakerTrainingJob",
    "SageMakerTransformJob",
]
