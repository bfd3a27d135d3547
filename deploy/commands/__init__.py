"""The verbs: what a user types, each a sentence of calls. No verb prints, asks or exits; the street door does that.

`root` is the folder that holds `environments/` and `templates/`; `only` names endpoints of the environment (none: all
of them).
"""

from deploy.commands.apply import apply, plan_file, probe, rollback, teardown
from deploy.commands.doctor import doctor
from deploy.commands.github import federate
from deploy.commands.import_endpoints import Import, adopt, import_endpoint
from deploy.commands.inspect import asks, logs, places, plan, render, status, watch
from deploy.commands.project import STATE, Approve, Done, Project, validate
from deploy.commands.reap import Reaped, reap
from deploy.commands.renew import renew
from deploy.commands.restore import restore

__all__ = [
    "STATE",
    "Approve",
    "Done",
    "Import",
    "Project",
    "Reaped",
    "adopt",
    "apply",
    "asks",
    "doctor",
    "federate",
    "import_endpoint",
    "logs",
    "places",
    "plan",
    "plan_file",
    "probe",
    "reap",
    "render",
    "renew",
    "restore",
    "rollback",
    "status",
    "teardown",
    "validate",
    "watch",
]
