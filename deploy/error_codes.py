"""The table of error codes: what each one means and what to do. Reads `error_codes.yml`; decides and prints nothing."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from deploy.errors import UsageError

FILE = Path(__file__).with_name("error_codes.yml")


@dataclass(frozen=True)
class Explanation:
    """One code. `example` is empty where none would help."""

    code: str
    title: str
    cause: str
    cure: str
    example: str = ""


@cache
def explanations() -> dict[str, Explanation]:
    """Every code, in order."""
    rows = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {code: Explanation(code, **row) for code, row in rows.items()}


def explain(code: str) -> Explanation:
    """What a code means, typed as `AML310`, `aml310` or `310`. UsageError with the nearest ones if there is none."""
    known = explanations()
    wanted = code.strip().upper()
    wanted = wanted if wanted.startswith("AML") else f"AML{wanted}"
    if wanted in known:
        return known[wanted]
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
    cure = f"Near it: {', '.join(sorted(near))}" if near else "`amldeploy explain` lists them"
    raise UsageError(f"explain {code}", "there is no error of this code", cure, code="AML631")


def as_text(found: Explanation) -> str:
    """One code for a terminal."""
    lines = [f"{found.code}  {found.title}", "", f"Why:   {found.cause}", f"To do: {found.cure}"]
    return "\n".join([*lines, f"Such as: {found.example}"] if found.example else lines)


def as_page() -> str:
    """docs/errors.md: every code in a table, a table for each hundred."""
    parts = [_HEAD]
    for hundred, title in _PARTS.items():
        rows = [row for row in explanations().values() if row.code[3] in hundred]
        lines = [f"| `{r.code}` | {r.title} | {_cell(r.cause)} | {_cell(r.cure)} |" for r in rows]
        parts.append("\n".join([f"## {title}\n", "| code | is | why | what to do |", "|---|---|---|---|", *lines, ""]))
    return "\n".join(parts)


_HEAD = """# Error codes

Made by `scripts/errors` from `deploy/error_codes.yml`. `amldeploy explain CODE` prints one of them.
A code keeps its meaning for ever.
"""
_PARTS = {
    "0": "Ours",
    "1": "Files",
    "2": "Refused before any change",
    "34": "Azure, deployments and probes",
    "56": "Typed",
    "7": "Plans",
    "89": "Signing in",
}


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
