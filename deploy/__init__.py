"""amldeploy: deploy Azure ML online endpoints from YAML files.

    from deploy import plan, apply, status, rollback, teardown, invoke    # the Python API: api.py, docs/python.md

The files describe the desired endpoints. Azure contains the existing ones. The planner lists the steps between the two.
The executor runs them, one remote call each, and reports. There is no state file: every run reads Azure again.

The packages, in the order of `amldeploy apply -e local`:

    cli           reads the command line; prints the result; exits with its code
    commands      one function for each command: it calls the packages below
    config        environments/local.yml and templates/medimageparse/ -> EndpointSpec, or every problem with its place
    cloud         all requests to Azure, or to the emulator for `cloud: local`
    planning      specs and facts -> plan. Pure: no clock, no network, no file
    preflight     read-only checks of the plan before any change: quota, permissions, models, guards
    steps         one module for each step type: what exists, which steps lead to what is desired, how to run one
    execution     plan -> report: the only loop over steps, the only place that retries a step; progress
    reporter      plan, report, status and errors -> text, Markdown, JSON, HTML

    api           the same commands as Python functions, without a terminal
    pytest_plugin a fixture with an emulator, for the tests of other projects

What these packages use:

    domain        the nouns: spec, plan, report, facts, lease, owner, release
    documents     what users write: CLI v2 YAML, pipeline.yml, environments; YAML with line and column
    diff          the fields of a document compared with Azure: a table with one row for each field
    probes        test requests to each kind of model, and the check of the answers
    aliases       the file, variable or command in which clients look up the current endpoint
    leasing       endpoints on shared quota: successors, missed leases, notices
    github        identities for GitHub Actions
    diagnosis     why a deployment failed, from Azure's error and the container logs
    emulator      an emulator of Azure ML, for tests and for trying things out; imports nothing from this project

A step is data: a verb, an address, a body, a reason, a retry budget. So a plan can be saved and applied later.
Teardown, rollback and rescue are plans, too, for the same executor.

Every run reads Azure, so a plan takes as long as a few requests, and a step that needs a fact reads it. In return no
state file can be lost or wrong, and a killed run loses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.api import (
        Call,
        DeployError,
        EndpointRow,
        Event,
        Exit,
        Plan,
        Result,
        apply,
        invoke,
        plan,
        rollback,
        status,
        teardown,
    )

__all__ = [
    "Call",
    "DeployError",
    "EndpointRow",
    "Event",
    "Exit",
    "Plan",
    "Result",
    "apply",
    "invoke",
    "plan",
    "rollback",
    "status",
    "teardown",
]


def __getattr__(name: str) -> Any:
    """A name of the API, imported when it is used first: `import deploy` alone is quick."""
    if name not in __all__:
        raise AttributeError(f"module 'deploy' has no attribute {name!r}")
    from deploy import api

    return getattr(api, name)
