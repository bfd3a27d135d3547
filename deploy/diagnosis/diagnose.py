"""Finds the most likely cause of a failed deployment, and the field to change, from Azure's message and the logs.

The causes are those of Azure's page on troubleshooting online endpoints. Azure returns "has crashed or terminated" for
any container that did not start, so only the logs show why. Pure functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.diagnosis.causes import CAUSES, HARMLESS, Cause
from deploy.diagnosis.root_cause import of_containers

LINES = 5
"""Number of last log lines in a report; the whole log is saved in the report folder."""
_LONGEST = 300
_OWN, _HEADINGS = "Container logs:", ("Instance status:", "Container events:")
"""The headings of a log of Azure (recorded)."""
_INITIALIZER = "StorageInitializer"
_UNSPECIFIC = frozenset({"AML300", "AML340", "AML345"})
"""Codes that leave the cause open: an unknown message, a container that did not start, a failure without reason."""
_ADDABLE = frozenset({"liveness_probe", "readiness_probe", "roles", "quota", "environment_variables"})
"""Fields that the user can add if the files do not have them."""


@dataclass(frozen=True)
class Diagnosis:
    """`cause` is a keyword with a sentence about it, `field` the field of the files to change ("" if none).

    `cure`: how to fix it, where the cure of the error code does not apply. `evidence`: the lines that match the cause.
    `logs`: container -> its last lines. `unread`: container -> why its log could not be read. `root_cause`: the
    exception in the logs, with its file and line, if Azure's message leaves the cause open; "" if there is none.
    """

    cause: str
    explanation: str
    field: str
    evidence: tuple[str, ...]
    state: str
    azure_codes: tuple[str, ...]
    logs: Mapping[str, tuple[str, ...]]
    cure: str = ""
    unread: Mapping[str, str] | None = None
    root_cause: str = ""

    def as_json(self) -> dict[str, object]:
        """The JSON for the report."""
        logs = {name: list(lines) for name, lines in self.logs.items()}
        fields = {**vars(self), "evidence": list(self.evidence), "azure_codes": list(self.azure_codes), "logs": logs}
        return {**fields, "unread": dict(self.unread or {})}


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
    """The first cause in the table that matches `code`, Azure's message (`words`) or a log.

    `code` is an AML code; if it names a cause that no row has, the sentence is empty. `document` is the
    deployment's; a field that it lacks is not returned, unless it can be added.
    """
    last = {name: tuple(_short(line) for line in _own_lines(text)[-LINES:]) for name, text in logs.items()}
    parts = (state, tuple(azure_codes), last)
    relevant = {name: _relevant(text) for name, text in logs.items()}
    raised = of_containers(list(logs.values())) if code in _UNSPECIFIC else ""
    for row in CAUSES:
        if evidence := _evidence(row, code, words, relevant):
            where = _field(row, document, evidence)
            cure = "" if code in row.codes else row.cure
            return Diagnosis(row.cause, row.sentence, where, evidence, *parts, cure, unread, raised)
    sentence = "unknown. Azure's message and the logs match no documented cause." if code in _UNSPECIFIC else ""
    return Diagnosis("unknown", sentence, "", (), *parts, "", unread, raised)


def _evidence(row: Cause, code: str, words: str, logs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    evidence = [
        _short(line)
        for name, lines in logs.items()
        for line in lines
        if (pattern := row.initializer if name == _INITIALIZER else row.server) and pattern.search(line)
    ]
    if code in row.codes or (row.azure and row.azure.search(words)):
        evidence.insert(0, _short(words) or code)
    return tuple(evidence[:LINES])


def _field(row: Cause, document: Mapping[str, object] | None, evidence: Sequence[str]) -> str:
    """The first of the row's fields that the files have or can have; of the readiness probe if only that one failed."""
    text = " ".join(evidence).lower()
    fields = row.fields
    if row.cause == "probe_too_early" and "readiness" in text and "liveness" not in text:
        fields = ("readiness_probe.initial_delay",)
    return next((name for name in fields if document is None or _has(document, name)), "")


def _has(document: Mapping[str, object], name: str) -> bool:
    top, _, rest = name.partition(".")
    if top in _ADDABLE:
        return True
    inner = document.get(top)
    return inner is not None and (not rest or (isinstance(inner, Mapping) and _has(inner, rest)))


def _relevant(text: str) -> list[str]:
    """The lines of a log without those that each deployment has."""
    return [line for line in _nonempty(text) if not HARMLESS.search(line)]


def _own_lines(text: str) -> list[str]:
    """The lines that the container wrote; if it wrote none, the stages and events that Azure lists before them."""
    lines = _nonempty(text)
    if _OWN not in lines:
        return lines
    at = lines.index(_OWN)
    return lines[at + 1 :] or [line for line in lines[:at] if line not in _HEADINGS]


def _nonempty(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
