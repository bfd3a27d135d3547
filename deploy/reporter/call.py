"""One scoring request as text, Markdown and JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deploy.domain.arm import Json
from deploy.domain.report import Evidence
from deploy.errors import CloudError, Exit
from deploy.redact import redact_secrets
from deploy.reporter.problems import error_json
from deploy.sanitize import sanitize

_SHOWN = 4000
"""Characters of an answer in the text; --save and -o json have all of it."""


@dataclass(frozen=True)
class Call:
    """A scoring request and what came back. `files`: paths that were saved; `error`: why the answer is not good."""

    key: str
    endpoint: str
    deployment: str
    uri: str
    evidence: Evidence = field(default_factory=Evidence)
    answer: bytes = b""
    files: Sequence[str] = ()
    error: CloudError | None = None


def call_text(call: Call) -> str:
    """The summary, the answer of a model that has no own check, and the saved files."""
    parts = [f"{call.key}/{call.deployment}: {call.evidence.summary}\n  {call.uri}"] if call.error is None else []
    parts += [text] if (text := _answer_text(call)) else []
    parts += ["\n".join(f"Saved: {path}" for path in call.files)] if call.files else []
    return "\n\n".join(parts)


def call_markdown(call: Call) -> str:
    """The same as text, in a block of code."""
    fence = "`" * 4
    return f"### {call.key}/{call.deployment}\n{fence}\n{call_text(call)}\n{fence}\n"


def call_json(call: Call) -> dict[str, Json]:
    """The document of `schemas/invoke.json`."""
    error = error_json(call.error)["error"] | {"exit": int(Exit.STEP_FAILED)} if call.error else None
    return {
        "ok": error is None,
        "key": call.key,
        "endpoint": call.endpoint,
        "deployment": call.deployment,
        "uri": call.uri,
        "summary": call.evidence.summary,
        "data": redact_secrets(dict(call.evidence.data)),
        "answer": redact_secrets(answer_value(call.answer)) if _is_shown(call) else None,
        "files": list(call.files),
        **({"error": error} if error else {}),
    }


def answer_value(answer: bytes) -> Json:
    """The JSON value of an answer; None if it is not JSON."""
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return None


def call_files(call: Call) -> dict[str, bytes]:
    """The pictures, the answer as it came, and the document; after an error what is attached to it."""
    if call.error:
        return dict(call.error.attached)
    name = "answer.txt" if answer_value(call.answer) is None else "answer.json"
    return {**call.evidence.files, name: call.answer, "result.json": json.dumps(call_json(call), indent=2).encode()}


def _is_shown(call: Call) -> bool:
    """Whether the answer itself is shown. Those of the medical models are base64; their data is what was measured."""
    return call.error is None and call.evidence.data.get("type") == "http"


def _answer_text(call: Call) -> str:
    findings = call.evidence.data.get("findings")
    if isinstance(findings, Sequence):
        return "\n".join(f"- {sanitize(str(each['text']))}" for each in findings if isinstance(each, Mapping))
    value = answer_value(call.answer)
    if not _is_shown(call) or value is None:
        return ""
    text = sanitize(json.dumps(redact_secrets(value), indent=None, ensure_ascii=False))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...\n({len(text):,} characters; --save FOLDER saves all)"
