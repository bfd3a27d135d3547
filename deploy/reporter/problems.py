"""Errors as text and JSON: place, cause, cure. The place is first, so that an editor can open it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.domain.arm import Json
from deploy.errors import CloudError, DeployError, Finding, Problem, Refused, SpecError
from deploy.redact import redact_secrets
from deploy.reporter.layout import Layout, Style
from deploy.text import count


def error_text(
    error: DeployError,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,  # noqa: A002 - the usual word
) -> str:
    """The error for a terminal: every problem or finding, Azure's codes and request id, the cure."""
    layout = Layout(width, colour, ascii)
    if isinstance(error, SpecError):
        lines = [line for problem in error.problems for line in _problem(layout, problem)]
        lines += ["", *layout.line(f"{count(len(error.problems), 'problem')} found.", Style.BAD)]
    elif isinstance(error, Refused):
        lines = [line for finding in error.findings for line in _finding(layout, finding, error.doing)]
    else:
        lines = _failure(layout, error)
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


def outcome_error(layout: Layout, error: Mapping[str, Json], *, indent: int) -> list[str]:
    """The error of an outcome, {code, message, azure_codes?, status?, request_id?}, as lines."""
    title = " ".join(str(error.get(key) or "") for key in ("code", "message"))
    lines = layout.line(title, Style.RED, indent=indent, hang=indent + 2) + _azure(layout, error, indent + 2)
    return lines + layout.lines(diagnosis_lines(error), indent=indent + 2, hang=indent + 4)


def diagnosis_lines(error: Mapping[str, Json]) -> list[str]:
    """Why a deployment failed, in lines: its state, the cause, the field to change, the last lines of both logs."""
    found = redact_secrets(error.get("diagnosis") or {})
    if not isinstance(found, Mapping) or not found:
        return []
    lines = [f"State: {found['state']}"] if found.get("state") else []
    lines += [f"Likely cause: {found['explanation']}"] if found.get("explanation") else []
    lines += [f"Change: {found['field']}"] if found.get("field") else []
    for container, last in (found.get("logs") or {}).items():
        lines += [f"Last lines of the {container} log:", *(f"  {line}" for line in last)] if last else []
        lines += [] if last else [f"The {container} log is empty."]
    return lines + [f"The {container} log {why}." for container, why in (found.get("unread") or {}).items()]


def _problem(layout: Layout, problem: Problem) -> list[str]:
    where = f"{layout.clean(str(problem.place))}:"
    first, *more = layout.line(f"{problem.place}: {problem.code} {problem.cause}", hang=4)
    return [layout.paint(where, Style.BOLD) + first.removeprefix(where), *more, *_cure(layout, problem.cure, 4)]


def _finding(layout: Layout, finding: Finding, doing: str) -> list[str]:
    return [
        *_title(layout, finding.code, f"cannot {doing} {finding.address}: {finding.cause}"),
        *_cure(layout, finding.cure, 4),
    ]


def _failure(layout: Layout, error: DeployError) -> list[str]:
    lines = _title(layout, error.code, f"cannot {error.what}: {error.cause}")
    if isinstance(error, CloudError):
        details = {"azure_codes": error.codes, "status": error.status, "request_id": error.request_id}
        lines += _azure(layout, details, 4)
    return [*lines, *_cure(layout, error.cure, 4)]


def _title(layout: Layout, code: str, words: str) -> list[str]:
    return layout.row((f"{layout.clean(code)} ", Style.BAD), words, "", column=0)


def _cure(layout: Layout, cure: str, indent: int) -> list[str]:
    return layout.line(f"→ {cure}", Style.GREEN, indent=indent, hang=indent + 2) if cure.strip() else []


def _azure(layout: Layout, error: Mapping[str, Any], indent: int) -> list[str]:
    """Azure's codes from the outermost to the innermost, HTTP status and request id, on one line if they fit."""
    codes: Sequence[Json] = error["azure_codes"] if isinstance(error.get("azure_codes"), list | tuple) else ()
    parts = [
        " > ".join(str(code) for code in codes),
        f"HTTP {error['status']}" if error.get("status") else "",
        f"request id {error['request_id']}" if error.get("request_id") else "",
    ]
    return layout.flow([(part, Style.DIM) for part in parts], indent=indent)
