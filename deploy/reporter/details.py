"""What stands in a step: the fields it sets, those that Azure decides, those that stay. Secrets are hidden.

Steps in, pairs of words out. Layout belongs to the rooms that set the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploy.domain.arm import OWNER_TAG, RELEASE_TAG, Json
from deploy.domain.plan import Step, Verb
from deploy.redact import redact_secrets
from deploy.reporter.wording import changes, shown
from deploy.text import count

UNKNOWN = "(known after apply)"
_SAID_ELSEWHERE = frozenset({"$schema", "name", "endpoint_name", f"tags.{OWNER_TAG}", "traffic", "mirror_traffic"})


def fields(step: Step) -> list[tuple[str, str]]:
    """(path, value) of each field of what is created, those that Azure decides last; empty for any other step."""
    document = step.body.get("document")
    if step.verb is not Verb.CREATE or step.body.get("changes"):
        return []
    if step.kind == "role" and step.body.get("principal") == "endpoint":
        return [("principal", UNKNOWN)]
    if not isinstance(document, Mapping):
        return []
    told = [(path, shown(value)) for path, value in _leaves(redact_secrets(document)) if path not in _SAID_ELSEWHERE]
    return [(path, value[:12] if path == f"tags.{RELEASE_TAG}" else value) for path, value in told] + _decided(
        step, document
    )


def unchanged(step: Step) -> str:
    """`12 unchanged fields hidden`, for what has changes; empty when there is none."""
    document, found = step.body.get("document"), [path for path, _, _ in changes(step)]
    if not found or not isinstance(document, Mapping):
        return ""
    paths = [path for path, _ in _leaves(document) if path not in _SAID_ELSEWHERE]
    left = [path for path in paths if not any(path == each or path.startswith(f"{each}.") for each in found)]
    same = "unchanged field" if step.verb is Verb.UPDATE else "more field"
    return f"({count(len(left), same)} hidden)" if left else ""


def _decided(step: Step, document: Mapping[str, Json]) -> list[tuple[str, str]]:
    """What only Azure knows, and only once the thing is there."""
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
