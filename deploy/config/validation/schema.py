"""Checks a document against its pydantic model: each validation error becomes a problem with a location.

The rules are in `documents`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from deploy.documents.endpoint_and_deployment import DeploymentDocument
from deploy.documents.fields import GUID, IDENTITY, NAME, RESOURCE_GROUP, SCOPE, WORKSPACE
from deploy.documents.locations import FieldPath, Source, as_text, did_you_mean
from deploy.documents.yaml12 import kind
from deploy.errors import Problem
from deploy.redact import redact_values
from deploy.sanitize import sanitize

_EXPECTED = {
    "int": ("a whole number", "Use digits, without quotes."),
    "float": ("a number", "Use digits, without quotes."),
    "bool": ("a boolean", "Use true or false."),
    "string": ("text", "Use quotes."),
    "dict": ("a mapping", "Add `name: value` lines below it."),
    "model": ("a mapping", "Add `name: value` lines below it."),
    "list": ("a list", "Add a `- ` line for each item."),
    "tuple": ("a list", "Add a `- ` line for each item."),
}
_PATTERNS = {
    NAME: (
        "AML123",
        "is not a valid name",
        "Use lower-case letters, digits and single dashes, and start with a letter.",
    ),
    GUID: ("AML122", "is not a GUID", "Use the form 00000000-0000-0000-0000-000000000000."),
    SCOPE: ("AML130", "is not a valid scope", "Use endpoint, workspace, workspace_storage, ... or an ARM id."),
    WORKSPACE: ("AML123", "is not a valid workspace name", "Use 2 to 33 letters, digits, dashes and underscores."),
    RESOURCE_GROUP: ("AML123", "is not a valid resource group name", "Use at most 90 letters, digits, and ( ) _ - ."),
    IDENTITY: (
        "AML122",
        "is not the ARM id of a user-assigned identity",
        "Use the full id: /subscriptions/.../providers/Microsoft.ManagedIdentity/userAssignedIdentities/<name>.",
    ),
    "^azureml:.+$": (
        "AML122",
        "is not a valid asset reference",
        "Use azureml:<name>:<version> or azureml://registries/....",
    ),
}
_LIMITS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "string_too_short": "{min_length} or more characters long",
    "string_too_long": "at most {max_length} characters long",
    "too_short": "at least {min_length} long",
    "too_long": "at most {max_length} long",
}
_SCALING = frozenset({
    "scale_settings", "target_utilization", "target_utilization_percentage", "min_instances", "max_instances",
    "polling_interval",
})  # fmt: skip
_INSTANCES = "Remove it. Set instance_count, or add an autoscale setting of Azure Monitor to the deployment."
"""The cure for keys of deployments on Kubernetes, which Azure ML scales by itself."""


@dataclass(frozen=True)
class Checked:
    """A document and its problems.

    `valid`: the top-level keys without problems. `rest`: the document without its invalid values. `model`: the parsed
    document, if there are no problems.
    """

    source: Source
    valid: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()
    model: BaseModel | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)


def check(model: type[BaseModel], source: Source) -> Checked:
    """The document with all its problems. A top-level key without a value counts as absent, for loops without items."""
    value = {} if source.value is None else source.value
    if not isinstance(value, dict):
        return Checked(
            source, {}, (problem(source, (), "AML122", f"The file must contain a mapping; it is {kind(value)}."),)
        )
    value = {key: item for key, item in value.items() if item is not None}
    try:
        return Checked(source, value, model=model.model_validate(value))
    except ValidationError as error:
        failures = error.errors(include_url=False)
        wrong = {failure["loc"][0] for failure in failures if failure["loc"] and failure["type"] != "extra_forbidden"}
        valid = {key: item for key, item in value.items() if key not in wrong}
        rest = _without(value, [_field_path(source, failure["loc"]) for failure in failures])
        return Checked(source, valid, tuple(_problem_of(model, source, failure) for failure in failures), rest=rest)


def problem(source: Source, field_path: FieldPath, code: str, cause: str, cure: str = "") -> Problem:
    """A problem at the location of the value, in the environment file if the value is from there."""
    template_place = source.template_place(field_path)
    return Problem(
        source.place(field_path),
        code,
        sanitize(cause) + (f" The template uses it at {template_place}." if template_place else ""),
        cure,
    )


def _problem_of(model: type[BaseModel], source: Source, failure: Any) -> Problem:
    loc: tuple[str | int, ...] = failure["loc"]
    field_path = _field_path(source, loc)
    name, about = ".".join(map(str, field_path)) or "The file", failure["type"]
    found = _shown(redact_values(failure["input"], source.secrets))
    if about == "missing":
        cause = f"{_label(_field_path(source, loc[:-1]), loc[-1])} is missing."
        return problem(source, field_path, "AML121", cause, f"Add `{loc[-1]}: ...`.")
    if about == "extra_forbidden":
        cause = f"{loc[-1]!r} is not a key here."
        cure = _INSTANCES if _scales(model, loc[-1]) else did_you_mean(str(loc[-1]), _known(model, loc[:-1]))
        return Problem(source.key(field_path), "AML120", sanitize(cause), cure)
    sort = re.sub(r"_(type|from_float|parsing)$|_(attributes_type)$", "", about)
    if sort in _EXPECTED:
        wanted, how = _EXPECTED[sort]
        cause = f"{name} must be {wanted}; it is {_type_shown(sort, failure['input'])}."
        return problem(source, field_path, "AML122", cause, _cure(sort, failure["input"]) or how)
    context = failure.get("ctx") or {}
    if about == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        cause = f"{name} is {found}; it must be {context['expected']}."
        cure = did_you_mean(found.strip("'"), known, "Use one of these.")
        return problem(source, field_path, "AML122", cause, _INSTANCES if _scales(model, loc[0]) else cure)
    if about == "string_pattern_mismatch":
        code, cause, cure = _PATTERNS.get(context["pattern"], ("AML122", "has the wrong form", ""))
        cure = cure or f"It must match {context['pattern']}"
        return problem(source, field_path, code, f"{name} {cause}: {found}.", cure)
    code = "AML123" if loc[-1] == "name" else "AML122"
    if about in _LIMITS:
        cause = f"{name} is {found}; it must be {_LIMITS[about].format(**context)}."
        return problem(source, field_path, code, cause, "Change it.")
    own = failure["msg"].startswith("Value error, ")
    words, _, cure = failure["msg"].removeprefix("Value error, ").partition(": ")
    cause = f"{name} {words}." if own else f"{name}: {words}."
    return problem(source, field_path, code, cause, f"{cure[:1].upper()}{cure[1:]}." if cure else "Change it.")


def _scales(model: type[BaseModel], key: str | int) -> bool:
    return model is DeploymentDocument and key in _SCALING


def _type_shown(sort: str, value: Any) -> str:
    return _shown(value) if sort == "int" and isinstance(value, float) else kind(value)


def _cure(sort: str, value: Any) -> str:
    """A special cure for some values."""
    if sort == "int" and isinstance(value, float):
        return "Use digits only, without a point or an exponent."
    return "Replace it with text." if sort == "string" and not isinstance(value, int | float) else ""


def _field_path(source: Source, loc: tuple[str | int, ...]) -> FieldPath:
    """The path to the value, without pydantic's names for the branches of a union."""
    node, field_path = source.root, []
    for part in loc:
        if part in node.children:
            node = node.children[part]
            field_path.append(part)
    return tuple(field_path)


def _without(value: Any, field_paths: Sequence[FieldPath]) -> Any:
    """A copy without the values at the paths."""
    if not isinstance(value, dict):
        return value
    gone = {field_path[0] for field_path in field_paths if len(field_path) == 1}
    return {
        key: _without(item, [field_path[1:] for field_path in field_paths if field_path[:1] == (key,)])
        for key, item in value.items()
        if key not in gone
    }


def _label(field_path: FieldPath, last: str | int) -> str:
    return ".".join(map(str, (*field_path, last)))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return as_text(value)
    text = repr(value) if isinstance(value, (str, int, float)) else kind(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _known(model: type[BaseModel], loc: tuple[str | int, ...]) -> set[str]:
    """The keys that a model allows at a location."""
    models = {model}
    for part in loc:
        inner = [field.annotation for each in models for name, field in _fields(each) if name == part]
        models = {found for annotation in inner for found in _models(annotation)} or models
    return {name for each in models for name, _ in _fields(each)}


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    return ((field.alias or name, field) for name, field in model.model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """All models in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
