"""The verbs: what a user types, each a sentence of calls. No verb prints, asks or exits; the street door does that.

`root` is the folder that holds `environments/` and `templates/`; `only` names endpoints of the environment (none: all
of them).
"""

from deploy.verbs.changing import apply, probe, rollback, teardown
from deploy.verbs.looking import logs, plan, render, status, watch
from deploy.verbs.project import STATE, Approve, Done, Project, validate

__all__ = [
    "STATE",
    "Approve",
    "Done",
    "Project",
    "apply",
    "logs",
    "plan",
    "probe",
    "render",
    "rollback",
    "status",
    "teardown",
    "validate",
    "watch",
]
