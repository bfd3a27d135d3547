"""What kind of Azure ML file a document is, by its `$schema` or by keys that only one kind has.

A file of another kind has one problem that names the kind, not one for each of its keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from deploy.config.validation.schema import problem
from deploy.documents.locations import FieldPath, Source
from deploy.errors import Problem

ENDPOINT, DEPLOYMENT = "a managed online endpoint", "a managed online deployment"
_KUBERNETES, _BATCH = "a Kubernetes endpoint", "a batch endpoint"
_SCHEMA = re.compile(r"(?:^|/)(\w+)\.schema\.json$")
_KINDS = {
    "managedonlineendpoint": ENDPOINT,
    "managedonlinedeployment": DEPLOYMENT,
    "kubernetesonlineendpoint": _KUBERNETES,
    "kubernetesonlinedeployment": _KUBERNETES,
    "batchendpoint": _BATCH,
    "batchdeployment": _BATCH,
    "modelbatchdeployment": _BATCH,
    "pipelinecomponentbatchdeployment": _BATCH,
    "serverlessendpoint": "a serverless endpoint",
    "model": "a model",
    "environment": "an environment asset",
}
"""Name in `$schema`, in lower case -> what the file is for. Other names are not compared."""
Sign = tuple[str, str, Callable[[Mapping[str, Any]], bool]]
_SIGNS: dict[str, tuple[Sign, ...]] = {
    ENDPOINT: (
        ("compute", _KUBERNETES, lambda file: "compute" in file),
        ("defaults", _BATCH, lambda file: "defaults" in file),
        ("instance_type", DEPLOYMENT, lambda file: "instance_type" in file and "auth_mode" not in file),
    ),
    DEPLOYMENT: (
        ("type", _KUBERNETES, lambda file: str(file.get("type")).lower() == "kubernetes"),
        ("resources", _KUBERNETES, lambda file: "resources" in file and "compute" not in file),
        ("type", _BATCH, lambda file: file.get("type") in ("model", "pipeline")),
        ("compute", _BATCH, lambda file: "compute" in file),
        ("mini_batch_size", _BATCH, lambda file: "mini_batch_size" in file),
        ("auth_mode", ENDPOINT, lambda file: "auth_mode" in file and "instance_type" not in file),
    ),
}
"""What a file should be for -> the key that shows that it is for something else, what, and when; the first wins."""
_CURES = {"compute": "Remove `compute`.", "type": "Use `type: managed`.", "resources": "Use `type: managed`."}
_SUPPORTED = "amldeploy supports only managed online endpoints"


def other_kind(source: Source, wanted: str) -> Problem | None:
    """The problem of a file that is for something else than `wanted`, which is ENDPOINT or DEPLOYMENT."""
    file = source.value if isinstance(source.value, dict) else {}
    written = file.get("$schema")
    name = _SCHEMA.search(written) if isinstance(written, str) else None
    named = _KINDS.get(name[1].lower()) if name else None
    signs = [(key, kind) for key, kind, shows in _SIGNS[wanted] if shows(file)]
    if named == wanted:  # only its type or a compute can still make it one for Kubernetes
        signs = [(key, kind) for key, kind in signs if kind == _KUBERNETES]
    elif named:
        signs = [("$schema", named)]
    return _problem(source, wanted, *signs[0]) if signs else None


def _problem(source: Source, wanted: str, key: str, kind: str) -> Problem:
    field_path: FieldPath = (key,)
    if kind in _SIGNS:
        cause = f"This file is for {kind}, but {PurePosixPath(source.file).name} must be for {wanted}."
        cure = "Rename the file, or fix its `$schema`." if key == "$schema" else "Rename the file."
        return problem(source, field_path, "AML145", cause, cure)
    code = "AML127" if kind == _KUBERNETES else "AML145"
    cure = _CURES.get(key, "") if kind == _KUBERNETES else ""
    cure = cure or "Use the file of a managed online endpoint, and its `$schema` if it has one."
    return problem(source, field_path, code, f"This is for {kind}; {_SUPPORTED}.", cure)
