"""Errors for people and for machines: where, what, what to do; places first, so that an editor can follow them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.domain.arm import Json
from deploy.errors import CloudError, DeployError, Finding, Problem, Refused, SpecError
from deploy.redact import redact_secrets
from deploy.reporter.layout import Ink, Style
from deploy.text import count


def error_text(
    error: DeployError,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002 - the word that people use
) -> str:
    """The error as a person reads it: every problem or finding, Azure's codes and request id, what to do."""
    ink = Ink(width, colour, ascii)
    if isinstance(error, SpecError):
        lines = [line for problem in error.problems for line in _problem(ink, problem)]
        lines += ["", *ink.line(f"{count(len(error.problems), 'problem')} found.", Style.BAD)]
    elif isinstance(error, Refused):
        lines = [line for finding in error.findings for line in _finding(ink, finding, error.doing)]
    else:
        lines = _failure(ink, error)
    return "\n".join(lines) + "\n"


def error_json(error: DeployError) -> dict[str, Json]:
    """{error: {kind, code, exit, message, what, cause, cure}} and, by kind, problems, findings or codes."""
    body: dict[str, Json] = {
        "kind": type(error).__name__,
        "code": error.code,
        "exit": int(error.exit),
        "message": error.message,
        "what": error.what,
        "cause": error.cause,
        "cure": error.cure,
    }
    if isinstance(error, SpecError):
        body["problems"] = [
            {"file": p.place.file, "line": p.place.line, "column": p.place.column}
            | {"code": p.code, "cause": p.cause, "cure": p.cure}
            for p in error.problems
        ]
    elif isinstance(error, Refused):
        body["findings"] = [
            {"address": f.address, "code": f.code, "cause": f.cause, "cure": f.cure} for f in error.findings
        ]
    elif isinstance(error, CloudError):
        body |= {"azure_codes": list(error.codes), "status": error.status, "request_id": error.request_id}
    return {"error": redact_secrets(body)}


def outcome_error(ink: Ink, error: Mapping[str, Json], *, indent: int) -> list[str]:
    """The error of an outcome, {code, message, azure_codes?, status?, request_id?}, as lines."""
    said = " ".join(str(error.get(key) or "") for key in ("code", "message"))
    lines = ink.line(said, Style.RED, indent=indent, hang=indent + 2) + _azure(ink, error, indent + 2)
    return lines + [
        line for text in diagnosis_lines(error) for line in ink.line(text, indent=indent + 2, hang=indent + 4)
    ]


def diagnosis_lines(error: Mapping[str, Json]) -> list[str]:
    """Why a deployment failed, in lines: its state, the cause, the field, what speaks for it, both logs' last lines."""
    found = redact_secrets(error.get("diagnosis") or {})
    if not isinstance(found, Mapping) or not found:
        return []
    lines = [f"State: {found['state']}"] if found.get("state") else []
    lines += [f"Likely cause: {found['says']}"] if found.get("says") else []
    lines += [f"Change: {found['field']}"] if found.get("field") else []
    for container, said in (found.get("logs") or {}).items():
        lines += [f"{container} said last:", *(f"  {line}" for line in said)] if said else []
        lines += [] if said else [f"{container} said nothing."]
    return lines + [f"{container}'s log {why}." for container, why in (found.get("unread") or {}).items()]


def _problem(ink: Ink, problem: Problem) -> list[str]:
    where = f"{ink.clean(str(problem.place))}:"
    first, *more = ink.line(f"{problem.place}: {problem.code} {problem.cause}", hang=4)
    return [ink.paint(where, Style.BOLD) + first.removeprefix(where), *more, *_cure(ink, problem.cure, 4)]


def _finding(ink: Ink, finding: Finding, doing: str) -> list[str]:
    return [
        *_title(ink, finding.code, f"cannot {doing} {finding.address}: {finding.cause}"),
        *_cure(ink, finding.cure, 4),
    ]


def _failure(ink: Ink, error: DeployError) -> list[str]:
    lines = _title(ink, error.code, f"cannot {error.what}: {error.cause}")
    if isinstance(error, CloudError):
        seen = {"azure_codes": error.codes, "status": error.status, "request_id": error.request_id}
        lines += _azure(ink, seen, 4)
    return [*lines, *_cure(ink, error.cure, 4)]


def _title(ink: Ink, code: str, words: str) -> list[str]:
    return ink.row((f"{ink.clean(code)} ", Style.BAD), words, "", column=0)


def _cure(ink: Ink, cure: str, indent: int) -> list[str]:
    return ink.line(f"→ {cure}", Style.GREEN, indent=indent, hang=indent + 2) if cure.strip() else []


def _azure(ink: Ink, error: Mapping[str, Any], indent: int) -> list[str]:
    """Azure's codes from the outermost inwards, the HTTP status and the request id, on one line where they fit."""
    codes: Sequence[Json] = error["azure_codes"] if isinstance(error.get("azure_codes"), list | tuple) else ()
    parts = [
        " > ".join(str(code) for code in codes),
        f"HTTP {error['status']}" if error.get("status") else "",
        f"request id {error['request_id']}" if error.get("request_id") else "",
    ]
    return ink.flow([(part, Style.DIM) for part in parts], indent=indent)
