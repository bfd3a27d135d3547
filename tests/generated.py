"""Endpoint and deployment documents that Hypothesis draws over the pydantic models: every field, few wrong ones."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MinLen
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.functional_validators import AfterValidator

from deploy.documents import fields
from deploy.documents.endpoint_and_deployment import DeploymentDocument, EndpointDocument
from tests.table import WORKSPACE

Drawn = st.SearchStrategy[Any]
TEXTS = st.text("a: \n\t\x85\u2028\ufeff'\"#{%\\é", max_size=6) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=12
)
KEYS = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)
SCALARS = TEXTS | st.integers(-9, 2**40) | st.booleans() | st.sampled_from([1.5, 0.25])
FOLDERS = {
    "model/a.txt": "one", "context/Dockerfile": "FROM x", "conda.yml": "dependencies: [python=3.11]\n",
    "list.yml": "[a]", "code/score.py": "def init(): pass\ndef run(data): return data\n",
}  # fmt: skip
"""Files of the template that the documents name."""
_IDENTITY = (
    WORKSPACE.partition("/providers/")[0] + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-local"
)


def _mostly(*values: Any, wrong: tuple[Any, ...] = ()) -> Drawn:
    """One of the values; rarely a wrong one."""
    return st.integers(0, 29).flatmap(lambda n: st.sampled_from(wrong if wrong and n == 7 else values))


_PATTERNS: dict[str, Drawn] = {
    fields.MODEL: _mostly(
        "azureml:M:3", "azureml:M@latest", f"azureml:{WORKSPACE}/models/M/versions/3",
        wrong=("azureml:M", "azureml:M:", "azureml:M:3:4", "azureml://jobs/j/outputs/m"),
    ),
    fields.ENVIRONMENT: _mostly(
        "azureml:E:2", "azureml:E@latest", f"azureml:{WORKSPACE}/environments/E/versions/2", "azureml:AzureML-x",
        "azureml:AzureML-x:1", "azureml://registries/azureml/environments/e/versions/1",
        "azureml://registries/azureml/environments/e/labels/latest", wrong=("azureml:E", "azureml:E:1:2"),
    ),
    fields.ASSET_NAME: st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,8}", fullmatch=True) | _mostly("a", wrong=("a b",)),
    fields.COLLECTION: _mostly("request", "response", "_a.b-c", wrong=("a/b",)),
    fields.DATA: _mostly("azureml://datastores/workspaceblobstore/paths/x", wrong=("./local",)),
    "^/": st.sampled_from(["/", "/score", "/a b?c"]),
}  # fmt: skip
"""Pattern of a text -> values."""
_TAGS = KEYS | _mostly("é ü", "a.b:c", " x\x85y", wrong=("", "a%"))
_FIELDS: dict[str, Drawn] = {
    "model.path": _mostly(
        "model", "./model/a.txt", "azureml://datastores/workspaceblobstore/paths/x",
        "azureml://jobs/j/outputs/artifacts/paths/m", "runs:/0/m", "https://acct.blob.core.windows.net/c/m",
        "wasbs://c@acct.blob.core.windows.net/m",
        wrong=("azureml:M:3", "models:/m/1", "file:model", "runs:", "", "azureml://registries/azureml/models/m/versions/1"),
    ),
    "environment.build": st.none() | _mostly(
        {"path": "context"}, {"path": "https://github.com/o/r.git#main", "dockerfile_path": "d/Dockerfile"},
        wrong=({"path": "git+ssh://h/r"}, {"path": "s3://b"}),
    ),
    "environment.conda_file": _mostly(
        "", "conda.yml", {}, {"dependencies": ["a", {"pip": ["b"]}]}, {"dependencies": None},
        wrong=("list.yml", "https://x.y/c.yml", "model"),
    ),
    "environment.image": _mostly("mcr.microsoft.com/x:1", wrong=("", None)),
    "code_configuration.code": _mostly("code", "azureml:c:1", wrong=("https://x.y/z",)),
    "code_configuration.scoring_script": _mostly("score.py", wrong=("absent.py",)),
    "model.flavors": st.dictionaries(KEYS, _mostly({}, {"data": "x"}, {"n": {"m": 1}}, wrong=(3,)), max_size=1),
    "identity": _mostly(
        None, {"type": "system_assigned"}, {"type": "none"},
        {"type": "user_assigned", "user_assigned_identities": [{"resource_id": _IDENTITY}]},
        wrong=({"type": "user_assigned"}, {"type": "system_assigned", "user_assigned_identities": [{}]}),
    ),
    "tags.key": _TAGS, "model.tags.key": _TAGS, "environment.tags.key": _TAGS,
    "environment_variables.key": KEYS | st.just("A.b-c"),
    "instance_type": st.just("Standard_DS2_v2"),
    "instance_count": st.just(1),
    "traffic": st.sampled_from([None, {"blue": 100}, {"blue": 0}, {}]),
    "mirror_traffic": st.sampled_from([None, {}, {"blue": 0}]),
}  # fmt: skip
_USUAL = {"environment.image", "model.name", "code_configuration.code", "code_configuration.scoring_script"}
"""Optional fields without which others are mostly wrong."""
_VERSIONS = _mostly("1", 2, 1.0, "2024-01-01.b", wrong=("a b",))


def _document(schema: type[BaseModel], above: str = "", **always: Drawn) -> Drawn:
    """Documents of a schema: its required fields, and some of the others."""
    required, optional = dict(always), dict[str, Drawn]()
    for name, field in schema.model_fields.items():
        key = field.alias or name
        if key not in always:
            where = required if field.is_required() or f"{above}{key}" in _USUAL else optional
            where[key] = _value(field.annotation, field.metadata, f"{above}{key}")
    return st.fixed_dictionaries(required, optional=optional).map(_one_source)


def _one_source(document: dict[str, Any]) -> dict[str, Any]:
    """An environment mostly has either an image or a build context."""
    both = document.get("build") and document.get("image") and "description" not in document
    return {name: value for name, value in document.items() if name != "image" or not both}


def _value(annotation: Any, metadata: list[Any], path: str) -> Drawn:
    if path in _FIELDS:
        return _FIELDS[path]
    if path.endswith("datastore"):
        return st.just("workspaceblobstore")
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _value(inner, [*metadata, *more], path)
    flat = [each for part in metadata for each in (part.metadata if isinstance(part, FieldInfo) else [part])]
    if any(isinstance(each, AfterValidator) for each in flat):
        return _VERSIONS if path.endswith("version") else SCALARS
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.one_of(
            *(st.none() if each is type(None) else _value(each, metadata, path) for each in arguments[::-1])
        )
    if origin is dict:
        least = next((each.min_length for each in flat if isinstance(each, MinLen)), 0)
        keys, values = _value(arguments[0], [], f"{path}.key"), _value(arguments[1], [], f"{path}.*")
        return st.dictionaries(keys, values, min_size=least, max_size=2)
    if origin is list:
        return st.lists(_value(arguments[0], [], f"{path}.*"), max_size=2)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _document(annotation, f"{path}.")
    return _scalar(annotation, flat)


def _scalar(annotation: Any, metadata: list[Any]) -> Drawn:
    least = next((int(each.ge) for each in metadata if isinstance(each, Ge)), 0)  # type: ignore[call-overload]
    most = next((int(each.le) for each in metadata if isinstance(each, Le)), 2**31)  # type: ignore[call-overload]
    pattern = next((each.pattern for each in metadata if getattr(each, "pattern", None)), None)
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(least, min(most, 10_000)) | st.just(most)
    if annotation is float:
        return st.sampled_from([0.0, 0.25, 1.0, 1])
    return _PATTERNS[pattern] if pattern else TEXTS


ENDPOINTS = _document(EndpointDocument, name=st.just("mip"))
_MODEL = DeploymentDocument.model_fields["model"]
_NAMES = {"name": st.just("blue"), "endpoint_name": st.just("mip")}
_ROUTES = {f"{name}_route": {"port": 8080, "path": "/"} for name in ("liveness", "readiness", "scoring")}


def _startable(document: dict[str, Any], number: int) -> dict[str, Any]:
    """The deployment with what its scoring server needs; rarely as it is."""
    model, environment = document.get("model"), document.get("environment")
    if number == 7:
        return document
    if (document.get("code_configuration") or {}).get("code"):
        return {**document, "environment": environment or "azureml:E:2"}
    if isinstance(environment, dict) and environment.get("image") and not environment.get("inference_config"):
        return {**document, "environment": {**environment, "inference_config": _ROUTES}}
    if isinstance(model, dict) and not environment:
        return {**document, "model": {**model, "type": "mlflow_model"}}
    return document if model or environment else {**document, "model": "azureml:M:3"}


DEPLOYMENTS = st.builds(
    _startable,
    _document(DeploymentDocument, **_NAMES, model=_value(_MODEL.annotation, _MODEL.metadata, "model"))
    | _document(DeploymentDocument, **_NAMES),
    st.integers(0, 29),
)
