"""The verbs: what a user types, each a sentence of calls. No verb prints, asks or exits; the street door does that.

`root` is the folder that holds `environments/` and `templates/`; `only` names endpoints of the environment (none: all
of them).
"""

from deploy.verbs.changing import apply, plan_file, probe, rollback, teardown
from deploy.verbs.doctor import doctor
from deploy.verbs.federating import federate
from deploy.verbs.importing import Import, adopt, import_endpoint
from deploy.verbs.leasing import Reaped, reap
from deploy.verbs.looking import asks, logs, places, plan, render, status, watch
from deploy.verbs.project import STATE, Approve, Done, Project, validate
from deploy.verbs.renewing import renew
from deploy.verbs.restoring import restore

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
