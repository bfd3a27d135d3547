"""Pages from templates, and the report as one HTML page: pictures inline, no script, no request, light and dark.

The page is `templates/report.html.j2`. jinja2 escapes every value; `_clean` sanitizes it first.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from deploy.domain.arm import Json
from deploy.domain.plan import Plan
from deploy.domain.report import Outcome, Report, State
from deploy.redact import redact_secrets
from deploy.reporter.overview import endpoint_traffic, report_facts, report_title
from deploy.reporter.problems import diagnosis_lines
from deploy.reporter.rollout_chart import RolloutChart, rollout_charts
from deploy.reporter.status_rows import EndpointRow
from deploy.reporter.timeline import timeline_bars
from deploy.reporter.wording import (
    EXPOSURE,
    REMAINING_ASSETS_TITLE,
    RESCUE,
    STATE_WORDS,
    VERDICTS,
    duration,
    exposure_lines,
    one_line,
    reasons,
    remaining_assets,
    report_summary,
)
from deploy.sanitize import sanitize
from deploy.text import count

if TYPE_CHECKING:
    from jinja2 import Environment

_PNG = b"\x89PNG\r\n\x1a\n"
_TEXT_FILES = (".json", ".txt", ".log", ".yml", ".yaml", ".md", ".csv")
_MAX_TEXT = 200_000
"""Characters of a text file that the page shows; the whole file is saved next to the page."""


def report_html(report: Report, plan: Plan | None = None, rows: Sequence[EndpointRow] = ()) -> str:
    """The page: where, when, by whom, traffic, failures, probe results, quota, timeline, steps.

    `plan`: adds the reasons, the traffic and quota; `rows`: the endpoints after the run, if they were read.
    """
    steps = [_step(outcome, why) for outcome, why in zip(report.outcomes, reasons(report, plan), strict=True)]
    return render(
        "report.html.j2",
        title=report_title(report),
        ok=report.ok,
        summary=report_summary(report),
        facts=report_facts(report, plan),
        run_url=report.provenance.run_url if report.provenance else "",
        endpoints=[(each.title, each.before, each.after, each.uri) for each in endpoint_traffic(report, plan, rows)],
        exposure_title=EXPOSURE,
        exposure=exposure_lines(plan) if plan else [],
        failures=[step for step in steps if step["error"]],
        figures=[step for step in steps if step["pictures"]],
        quota=[_quota(body) for body in plan.quota] if plan else [],
        rollouts=[_rollout(each) for each in rollout_charts(report.outcomes)],
        timeline=timeline_bars(report.outcomes),
        steps=[step for step in steps if not step["rescue"]],
        rescue_title=RESCUE,
        rescue=[step for step in steps if step["rescue"]],
        stays_title=REMAINING_ASSETS_TITLE,
        stays=remaining_assets(plan) if plan else [],
    )


def render(template: str, **values: Any) -> str:
    """A page from one of the templates."""
    return _environment().get_template(template).render(**values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("deploy.reporter")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_clean)


def _clean(value: Any) -> Any:
    """A value as safe text. HTML of the template's own macros and data URIs are Markup and stay as they are."""
    from markupsafe import Markup

    return value if isinstance(value, Markup) else sanitize(str(value)).encode("utf-8", "replace").decode()


def _quota(body: Mapping[str, Json]) -> tuple[str, ...]:
    """The row of a quota check: size with its family, cores needed, in use, of how many, free, verdict."""
    size = " ".join(str(body.get(name) or "") for name in ("instance_type", "family"))
    numbers = (body.get(name) for name in ("needed", "in_use", "limit", "left"))
    return (
        size,
        *("unknown" if each is None else f"{each} cores" for each in numbers),
        VERDICTS.get(str(body.get("verdict")), ("", "unknown"))[1],
    )


def _step(outcome: Outcome, why: str) -> dict[str, Any]:
    from markupsafe import Markup

    evidence = outcome.evidence
    pictures = {n: c for n, c in evidence.files.items() if n.lower().endswith(".png") and c.startswith(_PNG)}
    return {
        "verb": outcome.verb.value,
        "address": outcome.address,
        "state": STATE_WORDS[outcome.state],
        "css": outcome.state.value,
        "failed": outcome.state is State.FAILED,
        "rescue": outcome.rescue,
        "reason": why,
        "summary": evidence.summary,
        "attempts": outcome.attempts,
        "time": duration(outcome.seconds) if outcome.attempts else "",
        "error": _error(outcome) if outcome.error else None,
        "data": _rows(redact_secrets(evidence.data).items()),
        "pictures": [
            {"name": name, "data_uri": Markup("data:image/png;base64," + b64encode(content).decode())}  # noqa: S704
            for name, content in pictures.items()
        ],
        "files": [_file(name, content) for name, content in sorted(evidence.files.items()) if name not in pictures],
    }


def _rollout(chart: RolloutChart) -> dict[str, Any]:
    from markupsafe import Markup

    return {**vars(chart), "charts": [Markup(svg) for svg in chart.charts]}  # noqa: S704 the module escapes its texts


def _error(outcome: Outcome) -> dict[str, Any]:
    rows = [("Attempts", outcome.attempts)] if outcome.attempts > 1 else []
    return {
        **error_parts(outcome.error or {}, rows),
        "diagnosis": "\n".join(diagnosis_lines(outcome.error or {})),
    }


def error_parts(body: Mapping[str, Json], more: Iterable[tuple[str, Json]] = ()) -> dict[str, Any]:
    """{code, message, cure, findings: [{code, where, cause, cure}], rows} of an error as JSON, secrets hidden.

    The message of an error ends with its cure, which is left out of it here.
    """
    error = redact_secrets(dict(body))
    codes = error.get("azure_codes") if isinstance(error.get("azure_codes"), list) else []
    rows = [
        ("Azure error codes", " > ".join(str(code) for code in codes)),
        ("HTTP status", error.get("status")),
        ("Request id", error.get("request_id")),
        *more,
    ]
    message, cure = str(error.get("message") or ""), str(error.get("cure") or "")
    ending = next((end for end in (cure, f"{cure}.") if cure and message.endswith(end)), "")
    return {
        "code": error.get("code") or "Error",
        "message": message.removesuffix(ending).rstrip(),
        "cure": cure,
        "findings": [_finding(each) for each in error.get("findings") or error.get("problems") or ()],
        "rows": _rows(rows),
    }


def _finding(body: Mapping[str, Json]) -> dict[str, Json]:
    place = ":".join(str(body[name]) for name in ("file", "line", "column") if name in body)
    return {"where": body.get("address") or place, **{name: body.get(name) or "" for name in ("code", "cause", "cure")}}


def _rows(pairs: Iterable[tuple[str, Json]]) -> list[tuple[str, str]]:
    return [(name, one_line(value, 400)) for name, value in pairs if value not in (None, "", [], {})]


def _file(name: str, content: bytes) -> dict[str, str | None]:
    """The text of a text file; of any other file only name and size."""
    text = _readable(name, content) if name.lower().endswith(_TEXT_FILES) else None
    return {"name": name, "size": count(len(content), "byte"), "text": text}


def _readable(name: str, content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    if name.lower().endswith(".json"):
        with suppress(ValueError, RecursionError):
            text = json.dumps(redact_secrets(json.loads(text)), indent=1, ensure_ascii=False)
    return (
        text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + f"\n({count(len(text) - _MAX_TEXT, 'character')} more)"
    )
