# mypy: ignore-errors
"""A processing script as its readme has it for PySpark and other script processors: a path, then the two lines."""

import sys

sys.path.append("/opt/ml/processing/input/")

import sagemaker_ssh_helper

sagemaker_ssh_helper.setup_and_start_ssh()

print("processed", flush=True)
