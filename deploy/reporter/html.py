"""The report as one HTML page that needs nothing else: pictures inside, no script, no request, light and dark."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
from html import escape

from deploy.domain.arm import Json
from deploy.domain.plan import Plan
from deploy.domain.provenance import Provenance
from deploy.domain.report import Outcome, Report, State
from deploy.errors import sanitize
from deploy.redact import redact_secrets
from deploy.reporter.origin import words
from deploy.reporter.problems import diagnosis_lines
from deploy.reporter.style import CSS
from deploy.reporter.timeline import timeline_svg
from deploy.reporter.wording import (
    EXPOSURE,
    RESCUE,
    STATE_WORDS,
    STAYS,
    duration,
    exposed,
    reasons,
    report_summary,
    shown,
    staying,
    target,
)
from deploy.text import count

_PNG = b"\x89PNG\r\n\x1a\n"
_TEXTS = (".json", ".txt", ".log", ".yml", ".yaml", ".md", ".csv")
_LONGEST = 200_000
"""Characters of a text file that are shown; the file itself is kept whole beside the page."""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def report_html(report: Report, plan: Plan | None = None) -> str:
    """A page: the verdict, what failed, what was seen, the time each step took, the steps. `plan` tells the reasons."""
    title = _safe(f"Report for {report.environment}")
    whys = reasons(report, plan)
    parts = [
        _verdict(report, title, target(plan) if plan else ""),
        _section(EXPOSURE, [_listed(exposed(plan))] if plan and plan.exposure else []),
        _section("What failed", (_failure(outcome) for outcome in report.outcomes if outcome.error)),
        _section("What was seen", (_figure(outcome) for outcome in report.outcomes if _pictures(outcome))),
        _section("Time", [timeline_svg(report.outcomes)] if report.outcomes else []),
        _section("Steps", [_steps(report, whys, rescue=False)] if report.outcomes else []),
        _section(RESCUE, [_steps(report, whys, rescue=True)] if any(o.rescue for o in report.outcomes) else []),
    ]
    parts += [_section(STAYS, [_listed(staying(plan))])] if plan and plan.stays else []
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><title>{title}</title><style>{CSS}</style>'
    )
    body = "\n".join(part for part in parts if part)
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'


def _safe(text: str) -> str:
    return escape(sanitize(text).encode("utf-8", "replace").decode())


def _verdict(report: Report, title: str, where: str) -> str:
    state = "" if report.ok else " failed"
    return (
        f'<header class="verdict{state}"><h1>{title}</h1><p>{_safe(report_summary(report))}</p>'
        f'{f"""<p class="soft">{_safe(where)}</p>""" if where else ""}'
        f'{_origin(report.provenance)}<p class="soft">Fingerprint <code>{_safe(report.fingerprint)}</code></p></header>'
    )


def _origin(provenance: Provenance | None) -> str:
    told = [_safe(part) for part in words(provenance)] if provenance else []
    if provenance and provenance.run_url:
        told.append(f'<a href="{_safe(provenance.run_url)}">run</a>')
    return f'<p class="soft">{", ".join(told)}</p>' if told else ""


def _section(title: str, parts: Iterable[str]) -> str:
    inside = "\n".join(parts)
    return f"<section><h2>{title}</h2>\n{inside}\n</section>" if inside else ""


def _listed(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{_safe(each)}</li>' for each in lines)}</ul>"


def _failure(outcome: Outcome) -> str:
    error = redact_secrets(outcome.error or {})
    codes = error.get("azure_codes") if isinstance(error.get("azure_codes"), list) else []
    rows = [
        ("Azure said", " > ".join(str(code) for code in codes)),
        ("HTTP status", error.get("status")),
        ("Request id", error.get("request_id")),
        ("Attempts", outcome.attempts),
    ]
    return (
        f'<div class="card"><p><strong class="failed">{_safe(str(error.get("code") or "Error"))}</strong> '
        f"{f'{RESCUE}: ' if outcome.rescue else ''}{outcome.verb} <code>{_safe(str(outcome.address))}</code></p>"
        f"<p>{_safe(str(error.get('message') or ''))}</p>"
        f"{_list(rows)}{_why(outcome)}{_files(outcome)}</div>"
    )


def _why(outcome: Outcome) -> str:
    lines = "\n".join(diagnosis_lines(outcome.error or {}))
    return f"<pre>{_safe(lines)}</pre>" if lines else ""


def _figure(outcome: Outcome) -> str:
    pictures = "".join(
        f'<img alt="{_safe(f"{name}: {outcome.evidence.summary}")}" src="{_inline(content)}">'
        for name, content in _pictures(outcome).items()
    )
    return (
        f'<figure><div class="pictures">{pictures}</div><figcaption><code>{_safe(str(outcome.address))}</code> '
        f"{_safe(outcome.evidence.summary)}{_list(redact_secrets(outcome.evidence.data).items())}"
        f"{'' if outcome.error else _files(outcome)}</figcaption></figure>"
    )


def _inline(picture: bytes) -> str:
    return f"data:image/png;base64,{b64encode(picture).decode()}"


def _pictures(outcome: Outcome) -> dict[str, bytes]:
    """Files that say they are PNG and are."""
    return {n: c for n, c in outcome.evidence.files.items() if n.lower().endswith(".png") and c.startswith(_PNG)}


def _files(outcome: Outcome) -> str:
    """Text files, folded (open where a step failed); of any other only name and size."""
    parts = []
    for name, content in sorted(outcome.evidence.files.items()):
        if name in _pictures(outcome):
            continue
        if name.lower().endswith(_TEXTS):
            state = " open" if outcome.state is State.FAILED else ""
            text = _safe(_readable(name, content))
            parts.append(f"<details{state}><summary>{_safe(name)}</summary><pre>{text}</pre></details>")
        else:
            parts.append(f'<p class="soft">{_safe(name)}, {count(len(content), "byte")}, kept beside this page</p>')
    return "".join(parts)


def _readable(name: str, content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    if name.lower().endswith(".json"):
        with suppress(ValueError, RecursionError):
            text = json.dumps(redact_secrets(json.loads(text)), indent=1, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + f"\n({count(len(text) - _LONGEST, 'character')} more)"


def _list(rows: Iterable[tuple[str, Json]]) -> str:
    items = "".join(
        f"<dt>{_safe(str(name))}</dt><dd>{_safe(shown(value, 400))}</dd>"
        for name, value in rows
        if value not in (None, "", [], {})
    )
    return f"<dl>{items}</dl>" if items else ""


def _steps(report: Report, whys: list[str], *, rescue: bool) -> str:
    told = zip(report.outcomes, whys, strict=True)
    rows = "".join(_row(outcome, why) for outcome, why in told if outcome.rescue is rescue)
    titles = "".join(
        f'<th scope="col">{title}</th>' for title in ("State", "Step", "Address", "Why, and what was seen")
    )
    head = f'<tr>{titles}<th scope="col" class="number">Attempts</th><th scope="col" class="number">Time</th></tr>'
    return f'<div class="wide"><table>{head}{rows}</table></div>'


def _row(outcome: Outcome, why: str) -> str:
    summary = outcome.evidence.summary if outcome.evidence.summary != why else ""
    seen = f'<div class="soft">{_safe(summary)}</div>' if summary else ""
    time = duration(outcome.seconds) if outcome.attempts else ""
    files = "" if outcome.error or _pictures(outcome) else _files(outcome)
    return (
        f'<tr><td class="state {outcome.state}">{STATE_WORDS[outcome.state]}</td><td class="state">{outcome.verb}</td>'
        f'<td class="address"><code>{_safe(str(outcome.address))}</code></td><td>{_safe(why)}{seen}{files}</td>'
        f'<td class="number">{outcome.attempts or ""}</td><td class="number">{time}</td></tr>'
    )
