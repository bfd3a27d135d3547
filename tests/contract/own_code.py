"""Deployments with code of one's own: where an interpreter with the inference server is, and files to deploy."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import CodeConfiguration, Environment, ManagedOnlineDeployment, ManagedOnlineEndpoint, Model

SCORE = """
import json, os
import numpy

def init():
    global weights
    weights = numpy.loadtxt(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model", "weights.txt"))
    print("weights of shape", weights.shape)

def run(data):
    asked = json.loads(data)
    return {"answer": (weights @ numpy.array(asked["x"])).tolist(), "greeting": os.environ["GREETING"],
            "pid": os.getpid()}
"""
CONDA = "channels: [conda-forge]\ndependencies:\n- python=3.11\n- pip:\n  - numpy\n  - azureml-inference-server-http\n"


@functools.cache
def interpreter() -> str:
    """An interpreter that has the inference server, or ""."""
    python = os.environ.get("AMLDEPLOY_SCORING_PYTHON", sys.executable)
    code = "import azureml_inference_server_http, numpy"
    return python if subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0 else ""


needs_server = pytest.mark.skipif(
    not interpreter(),
    reason="the extra local-scoring is not installed: run scripts/scoring and set AMLDEPLOY_SCORING_PYTHON",
)


def project(folder: Path, score: str = SCORE) -> Path:
    """A folder as a user has it: code/score.py, model/weights.txt, conda.yml."""
    for name, text in {"code/score.py": score, "model/weights.txt": "1 2\n3 4\n", "conda.yml": CONDA}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def endpoint(client: MLClient, name: str) -> None:
    client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key")).result()


def deploy(client: MLClient, files: Path, name: str, deployment: str = "blue", **changes: Any) -> str:
    """Deploy a project from its local paths; returns the state it ends in."""
    wanted: dict[str, Any] = {
        "model": Model(path=str(files / "model")),
        "environment": Environment(image="mcr.example/x:1", conda_file=str(files / "conda.yml")),
        "code_configuration": CodeConfiguration(code=str(files / "code"), scoring_script="score.py"),
        "environment_variables": {"GREETING": "hello"}, "instance_type": "Standard_DS3_v2", "instance_count": 1,
        **changes,
    }  # fmt: skip
    made = ManagedOnlineDeployment(name=deployment, endpoint_name=name, **wanted)
    return str(client.online_deployments.begin_create_or_update(made).result().provisioning_state.value)
