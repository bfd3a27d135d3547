"""A document against its pydantic model: every misfit becomes a problem at the place of the value, in our words.

It knows nothing of Azure; what a field may hold is written in `documents`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from deploy.documents.fields import GUID, IDENTITY, NAME, RESOURCE_GROUP, SCOPE, WORKSPACE
from deploy.documents.places import Source, Trail, as_text, did_you_mean
from deploy.documents.yaml12 import kind
from deploy.errors import Problem, sanitize
from deploy.redact import redact_values

_WANTED = {
    "int": ("a whole number", "Write digits, without quotes."),
    "float": ("a number", "Write digits, without quotes."),
    "bool": ("a boolean", "Write true or false."),
    "string": ("text", "Put it in quotes."),
    "dict": ("a mapping", "Write `name: value` lines below it."),
    "model": ("a mapping", "Write `name: value` lines below it."),
    "list": ("a list", "Write one `- ` line for each item."),
    "tuple": ("a list", "Write one `- ` line for each item."),
}
_PATTERNS = {
    NAME: ("AML123", "is not a name", "Use lower-case letters, digits and single dashes, a letter first."),
    GUID: ("AML122", "is not a GUID", "It looks like 00000000-0000-0000-0000-000000000000."),
    SCOPE: ("AML130", "is no scope", "Write endpoint, workspace, workspace_storage, ... or an ARM id."),
    WORKSPACE: ("AML123", "is not a workspace's name", "It has 2 to 33 letters, digits, dashes and underscores."),
    RESOURCE_GROUP: ("AML123", "is not a resource group's name", "It has at most 90 letters, digits, and ( ) _ - ."),
    IDENTITY: (
        "AML122",
        "is not the ARM id of a user-assigned identity",
        "Take all of it: /subscriptions/.../providers/Microsoft.ManagedIdentity/userAssignedIdentities/<name>.",
    ),
    "^azureml:.+$": ("AML122", "names no asset", "Write azureml:<name>:<version> or azureml://registries/...."),
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


@dataclass(frozen=True)
class Checked:
    """A document and what is wrong with its shape.

    `sound` holds the top-level keys whose values have the right shape, `rest` the document without what is wrong in
    it, `model` the whole when nothing is.
    """

    source: Source
    sound: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()
    model: BaseModel | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)


def check(model: type[BaseModel], source: Source) -> Checked:
    """Every misfit. A key at the top that has no value counts as absent, so that a loop may be empty."""
    value = {} if source.value is None else source.value
    if not isinstance(value, dict):
        return Checked(
            source, {}, (problem(source, (), "AML122", f"The file must hold a mapping; it is {kind(value)}."),)
        )
    value = {key: item for key, item in value.items() if item is not None}
    try:
        return Checked(source, value, model=model.model_validate(value))
    except ValidationError as error:
        misfits = error.errors(include_url=False)
        wrong = {misfit["loc"][0] for misfit in misfits if misfit["loc"] and misfit["type"] != "extra_forbidden"}
        sound = {key: item for key, item in value.items() if key not in wrong}
        rest = _without(value, [_trail(source, misfit["loc"]) for misfit in misfits])
        return Checked(source, sound, tuple(_misfit(model, source, misfit) for misfit in misfits), rest=rest)


def problem(source: Source, trail: Trail, code: str, cause: str, cure: str = "") -> Problem:
    """A problem at the value's place, which is the environment file's when the value came from there."""
    via = source.via(trail)
    return Problem(source.place(trail), code, sanitize(cause) + (f" It came through {via}." if via else ""), cure)


def _misfit(model: type[BaseModel], source: Source, misfit: Any) -> Problem:
    loc: tuple[str | int, ...] = misfit["loc"]
    trail = _trail(source, loc)
    name, about, found = (
        ".".join(map(str, trail)) or "The file",
        misfit["type"],
        _shown(redact_values(misfit["input"], source.secrets)),
    )
    if about == "missing":
        return problem(
            source,
            trail,
            "AML121",
            f"{_named(_trail(source, loc[:-1]), loc[-1])} is missing.",
            f"Add `{loc[-1]}: ...`.",
        )
    if about == "extra_forbidden":
        cause, cure = f"{loc[-1]!r} is not a key here.", did_you_mean(str(loc[-1]), _known(model, loc[:-1]))
        return Problem(source.key(trail), "AML120", sanitize(cause), cure)
    sort = re.sub(r"_(type|from_float|parsing)$|_(attributes_type)$", "", about)
    if sort in _WANTED:
        wanted, how = _WANTED[sort]
        cause = f"{name} must be {wanted}; it is {_held(sort, misfit['input'])}."
        return problem(source, trail, "AML122", cause, _cure(sort, misfit["input"]) or how)
    context = misfit.get("ctx") or {}
    if about == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        cause = f"{name} is {found}; it must be {context['expected']}."
        return problem(source, trail, "AML122", cause, did_you_mean(found.strip("'"), known, "Write one of these."))
    if about == "string_pattern_mismatch":
        code, cause, cure = _PATTERNS.get(context["pattern"], ("AML122", "has the wrong form", ""))
        return problem(source, trail, code, f"{name} {cause}: {found}.", cure or f"It must match {context['pattern']}")
    code = "AML123" if loc[-1] == "name" else "AML122"
    if about in _LIMITS:
        cause = f"{name} is {found}; it must be {_LIMITS[about].format(**context)}."
        return problem(source, trail, code, cause, "Change it.")
    own = misfit["msg"].startswith("Value error, ")
    words, _, cure = misfit["msg"].removeprefix("Value error, ").partition(": ")
    cause = f"{name} {words}." if own else f"{name}: {words}."
    return problem(source, trail, code, cause, f"{cure[:1].upper()}{cure[1:]}." if cure else "Change it.")


def _held(sort: str, value: Any) -> str:
    return _shown(value) if sort == "int" and isinstance(value, float) else kind(value)


def _cure(sort: str, value: Any) -> str:
    """A cure that fits what was written, when the usual one does not."""
    if sort == "int" and isinstance(value, float):
        return "Write digits alone, without a point or an exponent."
    return "Write a text in its place." if sort == "string" and not isinstance(value, int | float) else ""


def _trail(source: Source, loc: tuple[str | int, ...]) -> Trail:
    """The way to the value; pydantic's own words for branches of a union are left out."""
    node, trail = source.root, []
    for part in loc:
        if part in node.children:
            node = node.children[part]
            trail.append(part)
    return tuple(trail)


def _without(value: Any, trails: Sequence[Trail]) -> Any:
    """A copy without the values that the trails lead to."""
    if not isinstance(value, dict):
        return value
    gone = {trail[0] for trail in trails if len(trail) == 1}
    return {
        key: _without(item, [trail[1:] for trail in trails if trail[:1] == (key,)])
        for key, item in value.items()
        if key not in gone
    }


def _named(trail: Trail, last: str | int) -> str:
    return ".".join(map(str, (*trail, last)))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return as_text(value)
    text = repr(value) if isinstance(value, (str, int, float)) else kind(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _known(model: type[BaseModel], loc: tuple[str | int, ...]) -> set[str]:
    """The keys that a document may have at a location."""
    models = {model}
    for part in loc:
        inner = [field.annotation for each in models for name, field in _fields(each) if name == part]
        models = {found for annotation in inner for found in _models(annotation)} or models
    return {name for each in models for name, _ in _fields(each)}


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    return ((field.alias or name, field) for name, field in model.model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that an annotation speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
