"""The commands, one function each. No command prints, asks or exits: the CLI does that.

Common arguments: `project`, the folder with `environments/` and `templates/`; `name`, the environment; `only`, the keys
of endpoints (empty: all); `approve` and `emit`, callbacks for the confirmation and for progress events.
"""

from deploy.commands.adopt import adopt
from deploy.commands.apply import apply, plan_file
from deploy.commands.call_code import code_of
from deploy.commands.doctor import doctor
from deploy.commands.federate import federate
from deploy.commands.force_unlock import force_unlock
from deploy.commands.import_endpoint import Import, import_endpoint
from deploy.commands.init import Initialized, init, write_schemas
from deploy.commands.invoke import Input, invoke, request_of
from deploy.commands.keys import rotate_key, show_keys
from deploy.commands.logs import logs
from deploy.commands.plan import plan
from deploy.commands.probe import probe
from deploy.commands.project import Project, entry_places, needs_approval, scoring_packages, validate
from deploy.commands.reap import ReapResult, reap
from deploy.commands.record import record
from deploy.commands.render import render
from deploy.commands.renew import renew
from deploy.commands.restore import restore
from deploy.commands.result import Approve, Result
from deploy.commands.rollback import rollback
from deploy.commands.status import status, status_of_each, watch
from deploy.commands.teardown import teardown

__all__ = [
    "Approve",
    "Import",
    "Initialized",
    "Input",
    "Project",
    "ReapResult",
    "Result",
    "adopt",
    "apply",
    "code_of",
    "doctor",
    "entry_places",
    "federate",
    "force_unlock",
    "import_endpoint",
    "init",
    "invoke",
    "logs",
    "needs_approval",
    "plan",
    "plan_file",
    "probe",
    "reap",
    "record",
    "render",
    "renew",
    "request_of",
    "restore",
    "rollback",
    "rotate_key",
    "scoring_packages",
    "show_keys",
    "status",
    "status_of_each",
    "teardown",
    "validate",
    "watch",
    "write_schemas",
]
