"""DeleteTrainingJob over moto's records."""

from __future__ import annotations

import asyncio
from typing import Any

from sm_ssh_entry.plane import sagemaker_records
from sm_ssh_entry.plane.api import AwsError, Handler, Request
from sm_ssh_entry.plane.store import Store


async def delete_training_job(store: Store, request: Request) -> dict[str, Any]:
    """Forget a training job that has ended.

    Raises:
        AwsError: ResourceNotFound; ResourceInUse, where it has not ended.
    """
    name = request.params["TrainingJobName"]
    where = sagemaker_records.arn(store, request.region, f"training-job/{name}")

    def delete() -> None:
        table = sagemaker_records.backend(store, request.region).training_jobs
        if name not in table:
            raise AwsError("ResourceNotFound", f"Could not find training job '{where}'.")
        if sagemaker_records.is_running(table[name]):
            raise AwsError(
                "ResourceInUse", f"{where} is {table[name].training_job_status}: a job is deleted when it has ended."
            )
        del table[name]

    await asyncio.to_thread(delete)
    return {}


OPERATIONS: dict[str, Handler] = {
    "DeleteTrainingJob": delete_training_job,
}
