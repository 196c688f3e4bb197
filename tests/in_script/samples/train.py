# mypy: ignore-errors
"""A training script as SageMaker SSH Helper's readme has it: two lines of it, then the training."""

import os
import pathlib

import sagemaker_ssh_helper

sagemaker_ssh_helper.setup_and_start_ssh()

rank = os.environ.get("RANK", "0")
model = pathlib.Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
model.mkdir(parents=True, exist_ok=True)
(model / f"model-{rank}.txt").write_text("trained\n")
print(f"rank {rank} has trained", flush=True)
