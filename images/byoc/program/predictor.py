"""The web application: is the model there, and what does it say of each row."""

from pathlib import Path

import flask
import joblib
import numpy as np

MODEL = Path("/opt/ml/model/tree.joblib")

app = flask.Flask(__name__)
model = joblib.load(MODEL)


@app.get("/ping")
def ping() -> flask.Response:
    """SageMaker's question whether this container is ready."""
    return flask.Response(status=200)


@app.post("/invocations")
def invocations() -> flask.Response:
    """Answer CSV rows of features with one class a line."""
    if flask.request.mimetype != "text/csv":
        return flask.Response("this model takes text/csv\n", status=415, mimetype="text/plain")
    rows = np.loadtxt(flask.request.get_data(as_text=True).splitlines(), delimiter=",", ndmin=2)
    return flask.Response("".join(f"{found}\n" for found in model.predict(rows)), mimetype="text/csv")
