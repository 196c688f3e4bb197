"""What ModelTrainer runs: hyperparameters are arguments, the job is in SM_* variables."""

import argparse
import json
import os
import pathlib

words = argparse.ArgumentParser()
words.add_argument("--epochs", type=int, default=3)
given = words.parse_args()

lines = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "points.csv").read_text().split()
points = [tuple(map(float, line.split(","))) for line in lines]
weight = 0.0
for epoch in range(given.epochs):
    for x, y in points:
        weight -= 0.05 * (weight * x - y) * x
    print(f"epoch {epoch} weight={weight:.6f}", flush=True)
pathlib.Path(os.environ["SM_MODEL_DIR"], "weights.json").write_text(json.dumps({"weight": weight}))
