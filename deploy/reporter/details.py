"""Fields of a step: those it sets, those that Azure sets, those that stay unchanged. Secrets are hidden. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploy.domain.arm import OWNER_TAG, RELEASE_TAG, Json
from deploy.domain.plan import Step, Verb
from deploy.redact import redact_secrets
from deploy.reporter.wording import SHORT, WHOLE, changes, one_line
from deploy.text import count

UNKNOWN = "(known after apply)"
_OMITTED = frozenset({"$schema", "name", "endpoint_name", f"tags.{OWNER_TAG}", "traffic", "mirror_traffic"})


def fields(step: Step, *, full: bool = False) -> list[tuple[str, str]]:
    """(path, value) of each field that a step creates, the fields that Azure sets last; empty for other verbs.

    Values are cut unless `full`.
    """
    document = step.body.get("document")
    if step.verb is not Verb.CREATE or step.body.get("changes"):
        return []
    if step.kind == "role" and step.body.get("principal") == "endpoint":
        return [("principal", UNKNOWN)]
    if not isinstance(document, Mapping):
        return []
    found = [(path, one_line(value, WHOLE if full else SHORT)) for path, value in _shown(document)]
    cut = () if full else (f"tags.{RELEASE_TAG}",)
    return [(path, value[:12] if path in cut else value) for path, value in found] + _set_by_azure(step, document)


def unchanged(step: Step) -> str:
    """`(12 unchanged fields hidden)` for a step with changes; empty if there are none."""
    left = unchanged_fields(step)
    same = "unchanged field" if step.verb is Verb.UPDATE else "more field"
    return f"({count(len(left), same)} hidden)" if left else ""


def unchanged_fields(step: Step) -> list[tuple[str, str]]:
    """(path, value) of each field that a step with changes sends unchanged, or sets like another deployment."""
    document, found = step.body.get("document"), [path for path, _, _ in changes(step)]
    if not found or not isinstance(document, Mapping):
        return []
    return [
        (path, one_line(value, WHOLE))
        for path, value in _shown(document)
        if not any(path == each or path.startswith(f"{each}.") for each in found)
    ]


def _shown(document: Mapping[str, Json]) -> list[tuple[str, Json]]:
    return [(path, value) for path, value in _leaves(redact_secrets(document)) if path not in _OMITTED]


def _set_by_azure(step: Step, document: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Fields that Azure sets when it creates the resource."""
    if step.kind != "endpoint":
        return []
    kind = (document.get("identity") or {}).get("type", "system_assigned")
    own = [("identity.principal_id", UNKNOWN)] if kind == "system_assigned" else []
    lease = [("lease end", UNKNOWN)] if step.body.get("shared") else []
    return [("scoring_uri", UNKNOWN), *own, *lease]


def _leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}".lstrip("."))
    else:
        yield path, value
