"""Plan and report as JSON, and a plan from the text of a plan file. Pure.

Secrets are hidden: `apply` of a plan file reads them from the project's files.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from deploy.domain.arm import Json
from deploy.domain.plan import Plan, Step, digest_world
from deploy.domain.report import Outcome, Report
from deploy.errors import Place, Problem, SpecError
from deploy.redact import redact_secrets
from deploy.reporter.cost import cost_json, plan_cost_json
from deploy.reporter.origin import origin_json

_CURE = "Create a new plan file: amldeploy plan -e ENVIRONMENT --out FILE"
_REQUIRED = ("environment", "endpoints", "steps", "rescue", "leases", "notes", "facts", "target")
_OPTIONAL = (
    "world",
    "fallback",
    "sealed",
    "held",
    "allow_rolled_back",
    "exposure",
    "allow_exposure",
    "stays",
    "orphans",
)


def plan_json(plan: Plan) -> dict[str, Json]:
    """The plan as `schemas/plan.json` describes it, secrets hidden."""
    shown = redact_secrets(_plan(plan))
    assert isinstance(shown, dict)  # noqa: S101 - redaction keeps the type
    return shown


def plan_dump(plan: Plan) -> str:
    """The text of a plan file, keys sorted: `plan_json`, the facts it was made from, digests of hidden values."""
    more = {"world": {str(where): body for where, body in plan.world.items()}, "sealed": dict(plan.sealed)}
    return json.dumps(plan_json(plan) | more, indent=1, sort_keys=True) + "\n"


def plan_load(text: str, file: str = "plan.json") -> Plan:
    """The plan that `plan_dump` wrote. SpecError (AML190) for any other text, (AML191) for a file that was edited."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
        raise _wrong(file, "AML190", f"is not JSON: {getattr(error, 'msg', error)}.", line, column) from None
    if not isinstance(body, dict):
        raise _wrong(file, "AML190", "is not a plan: it is not a JSON object.")
    try:
        read = {key: body[key] for key in _REQUIRED} | {key: body[key] for key in _OPTIONAL if key in body}
        plan = TypeAdapter(Plan).validate_json(json.dumps(read))
    except KeyError as error:
        raise _wrong(file, "AML190", f"is not a plan: {error} is missing.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _wrong(file, "AML190", f"is not a plan: {where}: {first['msg']}.") from None
    if plan.fingerprint != body.get("fingerprint") or (plan.world and digest_world(plan.world) != plan.facts):
        raise _wrong(file, "AML191", "does not match its fingerprint: it was edited.")
    return plan


def report_json(report: Report) -> dict[str, Json]:
    """The report as `schemas/report.json` describes it, secrets hidden; of evidence files only the names."""
    shown = redact_secrets(
        {
            "ok": report.ok,
            "state": report.state,
            "paused": list(report.paused),
            "environment": report.environment,
            "fingerprint": report.fingerprint,
            "outcomes": [_outcome(outcome) for outcome in report.outcomes],
            "requests": report.requests,
            "seconds": round(report.seconds, 3),
            "cost": cost_json(report.cost),
            "provenance": origin_json(report.provenance) if report.provenance else None,
        }
    )
    assert isinstance(shown, dict)  # noqa: S101 - redaction keeps the type
    return shown


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "environment": plan.environment,
        "endpoints": list(plan.endpoints),
        "fingerprint": plan.fingerprint,
        "facts": plan.facts,
        "steps": [_step(step) for step in plan.steps],
        "rescue": [_step(step) for step in plan.rescue],
        "fallback": [_step(step) for step in plan.fallback],
        "summary": plan.summary,
        "quota": [dict(body) for body in plan.quota],
        "leases": [dict(lease) for lease in plan.leases],
        "notes": list(plan.notes),
        "held": [dict(each) for each in plan.held],
        "allow_rolled_back": plan.allow_rolled_back,
        "target": dict(plan.target),
        "exposure": [dict(each) for each in plan.exposure],
        "allow_exposure": plan.allow_exposure,
        "stays": list(plan.stays),
        "orphans": [dict(each) for each in plan.orphans],
        "cost": plan_cost_json(plan),
        "duration": {key: round(seconds, 1) for key, seconds in plan.duration.items()},
    }


def _step(step: Step) -> dict[str, Json]:
    return {
        "verb": step.verb.value,
        "address": str(step.address),
        "why": step.why,
        "body": dict(step.body),
        "retry": asdict(step.retry),
    }


def _outcome(outcome: Outcome) -> dict[str, Json]:
    body = {
        "address": str(outcome.address),
        "verb": outcome.verb.value,
        "state": outcome.state.value,
        "attempts": outcome.attempts,
        "seconds": round(outcome.seconds, 3),
        "error": dict(outcome.error) if outcome.error is not None else None,
    }
    body |= {"rescue": True} if outcome.rescue else {}
    found = outcome.evidence
    if found.summary or found.data or found.files:
        body["evidence"] = {"summary": found.summary, "data": dict(found.data), "files": sorted(found.files)}
    return body


def _wrong(file: str, code: str, cause: str, line: int = 1, column: int = 1) -> SpecError:
    return SpecError([Problem(Place(file, line, column), code, cause, _CURE)])
