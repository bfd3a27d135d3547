"""Why a deployment failed: Azure's words and the containers' logs in, the likeliest cause and the field to change out.

The causes are those of Azure's page on troubleshooting online endpoints. Azure says of any container that did not come
up that it "has crashed or terminated", so that sentence proves nothing and the logs decide. Pure: nothing is asked,
read or decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.diagnosis.causes import CAUSES, HARMLESS, Cause

LINES = 5
"""Last lines of a container's log that stand in a report; the whole log is kept beside it."""
_LONGEST = 300
_INIT = "StorageInitializer"
_OPEN = frozenset({"AML300", "AML340", "AML345"})
"""Our codes that leave the cause open: unknown words, a container that did not start, an operation that failed."""
_ADDED = frozenset({"liveness_probe", "readiness_probe", "roles", "quota", "environment_variables"})
"""What may be written where nothing stands yet."""


@dataclass(frozen=True)
class Diagnosis:
    """`cause` is a word, `says` its sentence, `field` where in the files to change something ("" for nowhere).

    `cure`: what to do where our code's own cure speaks of something else. `evidence`: the lines that speak for it.
    `logs`: container -> its last lines. `unread`: container -> why its log could not be read.
    """

    cause: str
    says: str
    field: str
    evidence: tuple[str, ...]
    state: str
    azure_codes: tuple[str, ...]
    logs: Mapping[str, tuple[str, ...]]
    cure: str = ""
    unread: Mapping[str, str] | None = None

    def as_json(self) -> dict[str, object]:
        """As the report keeps it."""
        logs = {name: list(lines) for name, lines in self.logs.items()}
        told = {**vars(self), "evidence": list(self.evidence), "azure_codes": list(self.azure_codes), "logs": logs}
        return {**told, "unread": dict(self.unread or {})}


def diagnose(
    code: str,
    words: str,
    logs: Mapping[str, str],
    document: Mapping[str, object] | None = None,
    *,
    azure_codes: Sequence[str] = (),
    state: str = "",
    unread: Mapping[str, str] | None = None,
) -> Diagnosis:
    """The first cause of the table that Azure's words or a log speak for; what stops a container early stands first.

    `code` is ours; where it names a cause that no row has, `says` is empty. `document` is the deployment's; a field
    that it lacks is not named, unless it may be added.
    """
    last = {name: tuple(_short(line) for line in _spoken(text)[-LINES:]) for name, text in logs.items()}
    parts = (state, tuple(azure_codes), last)
    heard = {name: _lines(text) for name, text in logs.items()}
    for row in CAUSES:
        if evidence := _evidence(row, code, words, heard):
            where = _field(row, document, evidence)
            cure = "" if code in row.codes else row.cure
            return Diagnosis(row.cause, row.says, where, evidence, *parts, cure, unread)
    says = "unknown: neither Azure's words nor the logs name a documented cause." if code in _OPEN else ""
    return Diagnosis("unknown", says, "", (), *parts, "", unread)


def _evidence(row: Cause, code: str, words: str, logs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    told = [
        _short(line)
        for name, lines in logs.items()
        for line in lines
        if (pattern := row.stored if name == _INIT else row.served) and pattern.search(line)
    ]
    if code in row.codes or (row.said and row.said.search(words)):
        told.insert(0, _short(words) or code)
    return tuple(told[:LINES])


def _field(row: Cause, document: Mapping[str, object] | None, evidence: Sequence[str]) -> str:
    """The first of the row's fields that the files have, or may have; a readiness probe's where only that one spoke."""
    told = " ".join(evidence).lower()
    fields = row.fields
    if row.cause == "probe_too_early" and "readiness" in told and "liveness" not in told:
        fields = ("readiness_probe.initial_delay",)
    return next((name for name in fields if document is None or _has(document, name)), "")


def _has(document: Mapping[str, object], name: str) -> bool:
    top, _, rest = name.partition(".")
    if top in _ADDED:
        return True
    inner = document.get(top)
    return inner is not None and (not rest or (isinstance(inner, Mapping) and _has(inner, rest)))


def _lines(text: str) -> list[str]:
    """What a log says, without what it says of every deployment."""
    return [line for line in _spoken(text) if not HARMLESS.search(line)]


def _spoken(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
