"""Azure ML calls `init` once when the container starts, and `run` for each request."""

import json
import os

import joblib


def init() -> None:
    """Load the model. AZUREML_MODEL_DIR is the folder into which Azure ML puts the `model` of deployment.yml."""
    global model, species
    path = os.path.join(os.environ["AZUREML_MODEL_DIR"], "model", "iris.joblib")
    model, species = joblib.load(path)


def run(data: str) -> dict[str, list[object]]:
    """`{"x": [[sepal length, sepal width, petal length, petal width in cm], ...]}` -> the species of each flower."""
    chances = model.predict_proba(json.loads(data)["x"])
    return {
        "species": [species[row.argmax()] for row in chances],
        "probability": [round(float(row.max()), 4) for row in chances],
    }
