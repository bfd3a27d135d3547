"""Annotations, step outputs and step summaries for a job of GitHub Actions: only when GITHUB_ACTIONS is true.

Workflow commands are printed on stderr, which the runner reads, too, so that stdout contains the result only. A file
that cannot be written is reported and stops nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, TextIO

from deploy.cli import context
from deploy.errors import DeployError, Place, Refused

if TYPE_CHECKING:
    from deploy.domain.plan import Plan
    from deploy.domain.report import Report
    from deploy.leasing.notices import Message
    from deploy.reporter import EndpointRow


def is_on() -> bool:
    """Whether the process runs in a job of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def report_plan(plan: Plan, file: Path | None = None) -> None:
    """Outputs: changes, fingerprint, scoring-uri and planfile. Summary: the plan."""
    if not is_on():
        return
    from deploy import reporter

    mask(reporter.plan_secrets(plan), sys.stderr)
    values = {"changes": "true" if plan.steps else "false", "fingerprint": plan.fingerprint}
    values["scoring-uri"] = "\n".join(plan.scoring_uris)
    _outputs({**values, **({"planfile": str(file)} if file else {})})
    _summary(reporter.plan_markdown(plan))


def report_result(plan: Plan, report: Report, rows: Iterable[EndpointRow] = ()) -> None:
    """Outputs: scoring-uri, fingerprint and environment-url. Summary and annotations: the outcome of each step."""
    if not is_on():
        return
    from deploy import reporter

    found = list(rows)
    addresses = [row.scoring_uri for row in found if row.scoring_uri]
    values = {"scoring-uri": "\n".join(addresses), "fingerprint": report.fingerprint}
    only = addresses[0] if len(addresses) == 1 else _run_url()
    _outputs({**values, "environment-url": only})
    _summary(reporter.job_summary(report, plan, _run_url(), found))
    _command(reporter.annotation_commands(reporter.report_annotations(report, _places(plan.environment)), _prefix()))


def mask(secrets: Iterable[str], stream: TextIO | None) -> None:
    """Make the runner hide these secrets in its log. Call it before they are printed or used."""
    if is_on():
        from deploy import reporter

        _command(reporter.mask_commands(secrets), stream)


def masker(stream: TextIO | None) -> Callable[[str], None]:
    """A function that masks one secret on `stream`, also while stdout and stderr are redirected."""
    return lambda secret: mask([secret], stream)


def report_notices(messages: Iterable[Message]) -> None:
    """Annotations and summary: problems first, then the leases that end, the earliest first."""
    ordered = sorted(messages, key=lambda message: (not message.problem, str(message.ends or "")))
    if not ordered or not is_on():
        return
    from deploy import reporter

    notices = [(message.title, message.text) for message in ordered]
    _command(reporter.annotation_commands(reporter.notice_annotations(notices)))
    _summary(reporter.notices_markdown(notices))


def report_error(error: DeployError, environment: str) -> None:
    """Annotations on the lines of the error, and a summary. `environment`: its name; empty when unknown."""
    if not is_on():
        return
    from deploy import reporter

    places = _places(environment) if isinstance(error, Refused) else {}
    _command(reporter.annotation_commands(reporter.error_annotations(error, places), _prefix()))
    _summary(reporter.error_markdown(error))


def _places(environment: str) -> Mapping[str, Place]:
    from deploy import commands

    try:
        return commands.entry_places(commands.Project(context.project_root()), environment)
    except DeployError:
        return {}


def _prefix() -> str:
    """The project's path relative to the root of the repository: paths in annotations start there."""
    workspace = os.environ.get("GITHUB_WORKSPACE")
    if not workspace:
        return ""
    try:
        inside = context.project_root().resolve().relative_to(Path(workspace).resolve()).as_posix()
    except (ValueError, OSError, DeployError):
        return ""
    return "" if inside == "." else f"{inside}/"


def _run_url() -> str:
    server, repository, run = (os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""


def _command(text: str, stream: TextIO | None = None) -> None:
    stream = stream or sys.stderr
    if stream and text:
        stream.write(text)
        stream.flush()


def _outputs(values: Mapping[str, str]) -> None:
    from deploy import reporter

    _append("GITHUB_OUTPUT", reporter.outputs(values, f"end_{token_hex(16)}"))


def _summary(text: str) -> None:
    from deploy import reporter

    path = os.environ.get("GITHUB_STEP_SUMMARY")
    size = Path(path).stat().st_size if path and Path(path).is_file() else 0
    _append("GITHUB_STEP_SUMMARY", reporter.fit_summary(text.rstrip("\n") + "\n\n", reporter.SUMMARY_LIMIT - size))


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if not path or not text:
        return
    try:
        with Path(path).open("a", encoding="utf-8", errors="replace", newline="\n") as stream:
            stream.write(text)
    except OSError as error:
        _command(f"amldeploy: cannot write {variable}: {error.strerror}.\n")
