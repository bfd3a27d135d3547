"""A job of GitHub Actions is told what it can show: annotations, the step's outputs, the step's summary.

Only where GITHUB_ACTIONS is true. Workflow commands go to stderr, which the runner reads too, so that stdout stays one
result. What cannot be written is said once and stops nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, TextIO

from deploy.errors import DeployError, Place, Refused

if TYPE_CHECKING:
    from deploy.domain.plan import Plan
    from deploy.domain.report import Report
    from deploy.leasing.notices import Message
    from deploy.reporter import EndpointRow


def is_on() -> bool:
    """Whether a runner of GitHub's listens."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def planned(plan: Plan, file: Path | None = None) -> None:
    """Of a plan: whether it changes anything, its fingerprint, the file it is in, and the plan for people."""
    if not is_on():
        return
    from deploy import reporter

    mask(reporter.plan_secrets(plan), sys.stderr)
    values = {"changes": "true" if plan.steps else "false", "fingerprint": plan.fingerprint}
    values["scoring-uri"] = "\n".join(plan.scoring_uris)
    _outputs({**values, **({"planfile": str(file)} if file else {})})
    _summary(reporter.plan_markdown(plan))


def done(plan: Plan, report: Report, rows: Iterable[EndpointRow] = ()) -> None:
    """Of a plan that was carried out: where callers find it, and what became of each step."""
    if not is_on():
        return
    from deploy import reporter

    addresses = [row.scoring_uri for row in rows if row.scoring_uri]
    values = {"scoring-uri": "\n".join(addresses), "fingerprint": report.fingerprint}
    only = addresses[0] if len(addresses) == 1 else _run_url()
    _outputs({**values, "environment-url": only})
    _summary(reporter.job_summary(report, plan, _run_url()))
    _command(reporter.annotation_commands(reporter.report_annotations(report, _places(plan.environment)), _prefix()))


def mask(secrets: Iterable[str], stream: TextIO | None) -> None:
    """Before anything is shown or done that they are part of: the runner hides them."""
    if is_on():
        from deploy import reporter

        _command(reporter.mask_commands(secrets), stream)


def masker(stream: TextIO | None) -> Callable[[str], None]:
    """Masks each secret as soon as it is read, past the sink that libraries print into."""
    return lambda secret: mask([secret], stream)


def noticed(words: Iterable[Message]) -> None:
    """Of leases that end, the soonest first: what a workflow can turn into an issue."""
    told = [(word.title, word.text) for word in sorted(words, key=_by_urgency)]
    if not told or not is_on():
        return
    from deploy import reporter

    _command(reporter.annotation_commands(reporter.notice_annotations(told)))
    _summary(reporter.notices_markdown(told))


def _by_urgency(word: Message) -> tuple[bool, str]:
    return not word.trouble, str(word.ends or "")


def failed(error: DeployError, environment: str) -> None:
    """Of an error: on the lines that it speaks of. `environment`: its name, empty if none was typed."""
    if not is_on():
        return
    from deploy import reporter

    places = _places(environment) if isinstance(error, Refused) else {}
    _command(reporter.annotation_commands(reporter.error_annotations(error, places), _prefix()))
    _summary(reporter.error_markdown(error))


def said(text: str) -> None:
    """Of whatever else a command found."""
    if is_on():
        _summary(text)


def _places(environment: str) -> Mapping[str, Place]:
    from deploy import commands

    try:
        return commands.places(commands.Project(), environment)
    except DeployError:
        return {}


def _prefix() -> str:
    """Where the project is, seen from the root of the repository: annotations are addressed from there."""
    workspace = os.environ.get("GITHUB_WORKSPACE")
    if not workspace:
        return ""
    try:
        inside = Path.cwd().relative_to(Path(workspace).resolve()).as_posix()
    except (ValueError, OSError):
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
    there = Path(path).stat().st_size if path and Path(path).is_file() else 0
    _append("GITHUB_STEP_SUMMARY", reporter.fit_summary(text.rstrip("\n") + "\n\n", reporter.SUMMARY_LIMIT - there))


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if not path or not text:
        return
    try:
        with Path(path).open("a", encoding="utf-8", errors="replace", newline="\n") as stream:
            stream.write(text)
    except OSError as error:
        _command(f"amldeploy: cannot write {variable}: {error.strerror}.\n")
