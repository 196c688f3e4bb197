"""What sagemaker-inference calls: the model is a factor, and each request is a line of numbers."""

import pathlib

import numpy as np


def model_fn(model_dir: str) -> float:
    """Load the model."""
    return float(pathlib.Path(model_dir, "factor").read_text())


def predict_fn(data: np.ndarray, model: float) -> np.ndarray:
    """Return the predictions for a request."""
    return data * model
