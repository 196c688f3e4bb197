"""The demo's training job: softmax regression on Fisher's iris measurements (1936), standard library only.

It is an ordinary training script and knows nothing of SSH: reads the channel ``train``, prints its progress, writes
``model.json``. SAGEMAKER_BASE_DIR is what SageMaker's own training toolkit reads too; in a container it is /opt/ml.
"""

from __future__ import annotations

import csv
import json
import math
import os
import random
from pathlib import Path

SPECIES = ("setosa", "versicolor", "virginica")
Row = tuple[list[float], int]


def load(path: Path) -> list[Row]:
    """Read (features, class) rows; each feature is brought to mean 0 and deviation 1."""
    with path.open(newline="", encoding="utf-8") as lines:
        rows = [list(row.values()) for row in csv.DictReader(lines)]
    columns = [[float(row[i]) for row in rows] for i in range(4)]
    means = [sum(column) / len(column) for column in columns]
    deviations = [
        math.sqrt(sum((x - m) ** 2 for x in column) / len(column)) for column, m in zip(columns, means, strict=True)
    ]
    scaled = [[(float(row[i]) - means[i]) / deviations[i] for i in range(4)] + [1.0] for row in rows]
    return [(x, SPECIES.index(str(row[4]))) for x, row in zip(scaled, rows, strict=True)]


def probabilities(weights: list[list[float]], x: list[float]) -> list[float]:
    """Return the model's probability of each class."""
    scores = [sum(w * v for w, v in zip(row, x, strict=True)) for row in weights]
    top = max(scores)
    raised = [math.exp(score - top) for score in scores]
    return [value / sum(raised) for value in raised]


def train(rows: list[Row], epochs: int, rate: float = 0.5) -> list[list[float]]:
    """Fit by full-batch gradient descent, printing the loss as it falls."""
    weights = [[0.0] * 5 for _ in SPECIES]
    for epoch in range(1, epochs + 1):
        loss = 0.0
        gradient = [[0.0] * 5 for _ in SPECIES]
        for x, label in rows:
            found = probabilities(weights, x)
            loss -= math.log(found[label])
            for k, p in enumerate(found):
                for i, value in enumerate(x):
                    gradient[k][i] += (p - (k == label)) * value
        for k, row in enumerate(gradient):
            weights[k] = [w - rate * g / len(rows) for w, g in zip(weights[k], row, strict=True)]
        if epoch == 1 or epoch % 100 == 0:
            print(f"epoch {epoch} loss {loss / len(rows):.4f}", flush=True)
    return weights


def main() -> None:
    """Train on 120 of the 150 flowers, test on the other 30, write the model."""
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    rows = load(base / "input" / "data" / "train" / "iris.csv")
    random.Random(1936).shuffle(rows)
    held_out, fitted = rows[:30], rows[30:]
    weights = train(fitted, epochs=300)
    right = sum(max(range(3), key=probabilities(weights, x).__getitem__) == label for x, label in held_out)
    print(f"test accuracy {right / len(held_out):.3f}", flush=True)
    model = base / "model" / "model.json"
    model.write_text(json.dumps({"species": SPECIES, "weights": weights, "accuracy": right / len(held_out)}) + "\n")
    print(f"saved {model.name}", flush=True)


if __name__ == "__main__":
    main()
