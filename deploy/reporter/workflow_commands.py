"""Input of a GitHub Actions runner: workflow commands (annotations, masks) and lines of its output file. Pure.

A runner shows ten annotations of each level and step and drops the rest without a message, so the rest is counted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from deploy.domain.arm import Address
from deploy.domain.plan import Plan
from deploy.domain.report import Outcome, Report, State
from deploy.errors import DeployError, Place, Refused, SpecError
from deploy.redact import secret_values
from deploy.sanitize import sanitize

MOST = 10
"""Number of annotations that GitHub shows of a step."""
_MAX_TEXT, _MAX_TITLE = 2_000, 120


class Level(IntEnum):
    """Level of an annotation; the most severe is the smallest."""

    ERROR = 0
    WARNING = 1
    NOTICE = 2


@dataclass(frozen=True)
class Annotation:
    """A message on a line of a file, or on the run if `place` is None."""

    level: Level
    title: str
    text: str
    place: Place | None = None


def error_annotations(error: DeployError, places: Mapping[str, Place]) -> list[Annotation]:
    """One for each problem or finding. `places`: endpoint key -> its line, for errors without a place."""
    if isinstance(error, SpecError):
        return [Annotation(Level.ERROR, p.code, f"{p.cause} {p.cure}".strip(), p.place) for p in error.problems]
    if isinstance(error, Refused):
        return [
            Annotation(
                Level.ERROR, f"{f.code} {f.address}", f"{f.cause}. {f.cure}", _place(Address.parse(f.address), places)
            )
            for f in error.findings
        ]
    return [Annotation(Level.ERROR, error.code, str(error))]


def report_annotations(report: Report, places: Mapping[str, Place]) -> list[Annotation]:
    """An error for each failed step, those that affect traffic first; a warning for an interrupted or replaced one."""
    failed = sorted(
        (o for o in report.outcomes if o.state is State.FAILED), key=lambda o: "traffic" not in (o.error or {})
    )
    others = (o for o in report.outcomes if o.state is State.INTERRUPTED or (o.state is State.SUPERSEDED and o.error))
    return [_of_outcome(o, Level.ERROR, places) for o in failed] + [
        _of_outcome(o, Level.WARNING, places) for o in others
    ]


def notice_annotations(notices: Iterable[tuple[str, str]]) -> list[Annotation]:
    """A warning for each title and text, in the given order."""
    return [Annotation(Level.WARNING, title, text) for title, text in notices]


def annotation_commands(found: Sequence[Annotation], prefix: str = "") -> str:
    """Workflow commands, one on each line: the most severe first, at most ten, the rest counted.

    `prefix`: the project's folder relative to the repository's root, with a slash at its end, or empty.
    """
    ordered = sorted(found, key=lambda one: one.level)
    shown = ordered if len(ordered) <= MOST else ordered[: MOST - 1]
    lines = [_command(one, prefix) for one in shown]
    if left := len(ordered) - len(shown):
        lines.append(f"::notice title=amldeploy::{left} more: see the job summary")
    return "".join(line + "\n" for line in lines)


def plan_secrets(plan: Plan) -> frozenset[str]:
    """The secret values of a plan, unhidden."""
    return secret_values([step.body for step in plan.all_steps])


def mask_commands(secrets: Iterable[str]) -> str:
    """Commands that make the runner print *** for each secret. The runner compares single lines."""
    lines = {line.strip() for secret in secrets for line in secret.splitlines()}
    return "".join(f"::add-mask::{_data(line)}\n" for line in sorted(lines) if line)


def outputs(values: Mapping[str, str], delimiter: str) -> str:
    """Lines for the output file of a step. `delimiter`: random text. ValueError if a value contains it."""
    if any(delimiter in text for pair in values.items() for text in pair):
        raise ValueError("a value contains the delimiter")
    return "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in values.items())


def _of_outcome(outcome: Outcome, level: Level, places: Mapping[str, Place]) -> Annotation:
    text = (outcome.error or {}).get("message") or "Interrupted. A started operation continues in Azure."
    code = (outcome.error or {}).get("code") or ""
    return Annotation(level, f"{code} {outcome.address}".strip(), str(text), _place(outcome.address, places))


def _place(address: Address, places: Mapping[str, Place]) -> Place | None:
    """The line that defines the endpoint of an address."""
    return places.get(address.endpoint)


def _command(one: Annotation, prefix: str) -> str:
    place = one.place
    found = {"file": prefix + place.file, "line": str(place.line), "col": str(place.column)} if place else {}
    found["title"] = " ".join(sanitize(one.title).split())[:_MAX_TITLE]
    words = ",".join(f"{name}={_property(value)}" for name, value in found.items())
    return f"::{one.level.name.lower()} {words}::{_data(sanitize(one.text)[:_MAX_TEXT])}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
