"""Multiplies the number in a request by the factor of the model."""

import json
import os
from pathlib import Path

RELEASE = "RELEASE"  # the run writes the name of the release
FAILS = False


def init() -> None:
    """Read the model."""
    global factor  # noqa: PLW0603 - the form of a scoring script
    file = next(Path(os.environ["AZUREML_MODEL_DIR"]).rglob("model.json"))
    factor = json.loads(file.read_text())["factor"]
    print(f"release {RELEASE}, factor {factor}")


def run(data: str) -> dict[str, object]:
    """Answer one request."""
    if FAILS:
        raise ValueError("this release fails on purpose")
    return {"release": RELEASE, "answer": json.loads(data)["x"] * factor}
