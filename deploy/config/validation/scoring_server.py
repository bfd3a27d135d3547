"""Deployments without a scoring server, which Azure refuses: "Could not find driver program in the request".

A server is in the image of an environment with inference_config, or Azure starts one: for a scoring script with an
environment, for an MLflow or Triton model, or for a model of a registry, which has an environment of its own. A
registered model or environment is not read here: it can be of any of these kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.config.validation.schema import Checked, problem
from deploy.documents.locations import FieldPath
from deploy.errors import Problem

_PARTS = ("model", "code_configuration", "environment")
_ROUTES = "Add code_configuration, or inference_config with the routes of the server in the image."


def without_server(checked: Checked) -> Iterator[Problem]:
    """The problem of a deployment without a scoring server, unless an invalid or unknown key may be what it lacks."""
    written = checked.source.value if isinstance(checked.source.value, dict) else {}
    nodes = filter(None, (checked.source.root, *(checked.source.find((part,)) for part in _PARTS)))
    keys = {place for node in nodes for place in node.keys.values()}
    invalid = any(written.get(part) is not None and part not in checked.valid for part in _PARTS)
    if not checked.valid or invalid or keys & {each.place for each in checked.problems}:
        return
    model, code, environment = (checked.valid.get(part) for part in _PARTS)
    if found := _missing(model, bool(code and code.get("code")), environment):
        field_path, cause, cure = found
        yield problem(checked.source, field_path, "AML146", cause, cure)


def _missing(model: Any, code: bool, environment: Any) -> tuple[FieldPath, str, str] | None:
    if code:
        cause = "code_configuration has a scoring script, but there is no environment to run it."
        cure = "Add `environment: azureml:<name>:<version>`, or one with an image and a conda_file."
        return None if environment else (("code_configuration",), cause, cure)
    if not environment and not model:
        cause = "The deployment has no model, no scoring script and no environment."
        return (), cause, "Add a model, and a scoring script with an environment unless it is an MLflow model."
    custom = isinstance(model, Mapping) and model.get("type", "custom_model") == "custom_model"
    if not environment:
        cause = "The model is a custom model without a scoring script and an environment."
        cure = "Add code_configuration and environment, or use `type: mlflow_model`."
        return (("model",), cause, cure) if custom else None
    if (custom or not model) and isinstance(environment, Mapping) and not environment.get("inference_config"):
        return ("environment",), "The environment has no scoring server: no script and no inference_config.", _ROUTES
    return None
