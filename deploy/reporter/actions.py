"""What a runner of GitHub Actions reads: workflow commands (annotations, masks) and lines of its output file.

Strings only; who writes them where is the street door's affair. A runner shows ten annotations of a kind and step and
drops the rest in silence, so what does not fit is counted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from deploy.domain.plan import Plan
from deploy.domain.report import Outcome, Report, State
from deploy.errors import DeployError, Place, Refused, SpecError, sanitize
from deploy.redact import secret_values

MOST = 10
"""Annotations of a step that GitHub shows."""
_LONGEST, _TITLE = 2_000, 120


class Level(IntEnum):
    """How bad it is; the worst is the smallest."""

    ERROR = 0
    WARNING = 1
    NOTICE = 2


@dataclass(frozen=True)
class Annotation:
    """A remark on a line of a file; `place` None is one on the run."""

    level: Level
    title: str
    text: str
    place: Place | None = None


def error_annotations(error: DeployError, places: Mapping[str, Place]) -> list[Annotation]:
    """One for each problem or finding. `places`: where each endpoint's entry is written, for what has no place."""
    if isinstance(error, SpecError):
        return [Annotation(Level.ERROR, p.code, f"{p.cause} {p.cure}".strip(), p.place) for p in error.problems]
    if isinstance(error, Refused):
        return [
            Annotation(Level.ERROR, f"{f.code} {f.address}", f"{f.cause}. {f.cure}", _place(f.address, places))
            for f in error.findings
        ]
    return [Annotation(Level.ERROR, error.code, str(error))]


def report_annotations(report: Report, places: Mapping[str, Place]) -> list[Annotation]:
    """One for each step that failed, those that callers feel first; one broken off or replaced is a warning."""
    failed = sorted(
        (o for o in report.outcomes if o.state is State.FAILED), key=lambda o: "callers" not in (o.error or {})
    )
    broken = (o for o in report.outcomes if o.state is State.INTERRUPTED or (o.state is State.SUPERSEDED and o.error))
    return [_of_outcome(o, Level.ERROR, places) for o in failed] + [
        _of_outcome(o, Level.WARNING, places) for o in broken
    ]


def notice_annotations(notices: Iterable[tuple[str, str]]) -> list[Annotation]:
    """A warning for each title and text, in their order."""
    return [Annotation(Level.WARNING, title, text) for title, text in notices]


def annotation_commands(found: Sequence[Annotation], prefix: str = "") -> str:
    """Workflow commands, a line each: the worst first, at most ten, the rest counted. `prefix`: the project's folder
    as seen from the repository's root, with a slash at its end, or empty.
    """
    ordered = sorted(found, key=lambda one: one.level)
    shown = ordered if len(ordered) <= MOST else ordered[: MOST - 1]
    lines = [_command(one, prefix) for one in shown]
    if left := len(ordered) - len(shown):
        lines.append(f"::notice title=amldeploy::and {left} more; see the job's summary")
    return "".join(line + "\n" for line in lines)


def plan_secrets(plan: Plan) -> frozenset[str]:
    """What is secret in a plan, whole."""
    return secret_values([step.body for step in plan.all_steps])


def mask_commands(secrets: Iterable[str]) -> str:
    """Commands that make the runner write *** for each secret, line by line as it compares them."""
    lines = {line.strip() for secret in secrets for line in secret.splitlines()}
    return "".join(f"::add-mask::{_data(line)}\n" for line in sorted(lines) if line)


def outputs(values: Mapping[str, str], delimiter: str) -> str:
    """Lines for the file of a step's outputs. `delimiter` is one that nobody can guess, so no value ends itself."""
    if any(delimiter in text for pair in values.items() for text in pair):
        raise ValueError("the delimiter stands in a value")
    return "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in values.items())


def _of_outcome(outcome: Outcome, level: Level, places: Mapping[str, Place]) -> Annotation:
    said = (outcome.error or {}).get("message") or "Broken off; what was begun in Azure goes on there."
    code = (outcome.error or {}).get("code") or ""
    return Annotation(level, f"{code} {outcome.address}".strip(), str(said), _place(outcome.address, places))


def _place(address: str, places: Mapping[str, Place]) -> Place | None:
    """Where the endpoint of an address is written."""
    return places.get([*address.split("/"), ""][1])


def _command(one: Annotation, prefix: str) -> str:
    where = one.place
    told = {"file": prefix + where.file, "line": str(where.line), "col": str(where.column)} if where else {}
    told["title"] = " ".join(sanitize(one.title).split())[:_TITLE]
    words = ",".join(f"{name}={_property(value)}" for name, value in told.items())
    return f"::{one.level.name.lower()} {words}::{_data(sanitize(one.text)[:_LONGEST])}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
