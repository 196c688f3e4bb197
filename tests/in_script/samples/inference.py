# ruff: noqa: ANN001, ANN201, PTH118, PTH120
# mypy: ignore-errors
"""An inference script as its readme has it: the dependencies of an endpoint lie in lib, beside the script."""

import os
import sys

sys.path.append(os.path.join(os.path.dirname(__file__), "lib"))

import sagemaker_ssh_helper

sagemaker_ssh_helper.setup_and_start_ssh()


def model_fn(model_dir):
    """Load the model: a factor."""
    with open(os.path.join(model_dir, "factor")) as file:
        return int(file.read())


def predict_fn(data, model):
    """Multiply."""
    return data * model
