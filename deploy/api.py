"""The Python API: plan, apply, status, rollback, teardown and invoke, as `from deploy import apply`.

The functions are those of the command line, without a terminal: they print nothing, ask nothing, read no terminal and
install no signal handler. They apply what the caller asks; `approve` can look at the plan first.

Common arguments:
    environment  name of a file of environments/, without .yml
    endpoints    a key, or a sequence of keys, of that file; empty: all endpoints
    project      the folder with environments/ and templates/; default: the current folder
    on_event     called with each progress event, from several threads but one call at a time. It must not raise
    lock_timeout seconds to wait for the lock of another run
Other options have the names of the command line, with `_` for `-`.

Errors: a DeployError (`deploy.errors`) before anything is changed. It has `code` (such as AML641), `exit` (the exit
code of the command line), `what`, `cause` and `cure`. A step that fails is no exception: see `Result.exit`. OSError: a
file that the caller names cannot be read or written. Any other exception is a bug.

With `cloud: local` the environment variables of the emulator are set in this process during a call, so two calls at
once must use the same project.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy import commands, silence
from deploy.commands import Input, Project, Result
from deploy.domain.plan import Plan
from deploy.errors import DeployError, Exit, Refused, UsageError
from deploy.execution.progress import Event, EventKind
from deploy.reporter import Call, EndpointRow

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

Approve = Callable[[Plan], bool]
"""Called with a plan that has steps, before anything changes. False: the call raises UsageError (AML643)."""
OnEvent = Callable[[Event], None]


def plan(
    environment: str,
    endpoints: str | Sequence[str] = (),
    *,
    project: Path | str = ".",
    regions: Sequence[str] = (),
    for_another: bool = False,
    allow_rolled_back: bool = False,
    allow_exposure: bool = False,
    prune: bool = False,
) -> Plan:
    """What `apply` would change. Changes nothing.

    `Plan.steps` is empty if there is nothing to do. The bodies of steps can contain secrets of the files. `regions`:
    other regions in which to look for free quota. `for_another`: another identity applies the plan, so missing
    permissions are notes. `prune`: also delete the endpoints that no entry of the file names.

    Raises SpecError (the files are invalid), Refused (quota, permissions, guards), CloudError, NotAuthenticated.
    """
    with _doing("plan"):
        return commands.plan(
            _project(project),
            environment,
            _keys(endpoints),
            regions,
            for_another=for_another,
            allow_rolled_back=allow_rolled_back,
            allow_exposure=allow_exposure,
            prune=prune,
        )


def apply(
    environment: str | None = None,
    endpoints: str | Sequence[str] = (),
    *,
    saved: Plan | Path | str | None = None,
    project: Path | str = ".",
    approve: Approve | None = None,
    on_event: OnEvent | None = None,
    jobs: int | None = None,
    cleanup: bool = False,
    allow_rolled_back: bool = False,
    allow_exposure: bool = False,
    prune: bool = False,
    lock_timeout: float = 0.0,
) -> Result:
    """Deploy an environment, or with `saved` exactly a plan of `plan` or a file of `amldeploy plan --out`.

    The result has the plan that was run, its report (`Result.report.outcomes`), the folder in which the report was
    saved, the endpoints afterwards, and `Result.exit`: OK, or the exit code of the command line if a step failed. After
    a Ctrl-C the steps that run are ended and `Result.exit` is INTERRUPTED: KeyboardInterrupt is not raised again.
    `jobs`: the deployments that may be provisioned at once; None: all.

    Raises what `plan` raises, and StalePlan (Azure or the files changed after the plan was made), Locked (another run
    changes the endpoint).
    """
    emit = _in_turn(on_event)
    with _doing("apply"):
        return commands.apply(
            _project(project, emit),
            environment,
            _keys(endpoints),
            approve=_approval("apply", approve),
            emit=emit,
            jobs=jobs,
            plan_file=Path(saved) if isinstance(saved, str) else saved,
            cleanup=cleanup,
            allow_rolled_back=allow_rolled_back,
            allow_exposure=allow_exposure,
            prune=prune,
            lock_timeout=lock_timeout,
        )


def status(
    environment: str, endpoints: str | Sequence[str] = (), *, project: Path | str = "."
) -> Sequence[EndpointRow]:
    """The existing endpoints: state, scoring URI, deployments with their traffic (percent), leases, cost.

    The lease that ends first comes first; endpoints that no entry of the file names come last. An endpoint that does
    not exist has the state `absent`. Raises SpecError, CloudError, NotAuthenticated.
    """
    with _doing("read"):
        return commands.status(_project(project), environment, _keys(endpoints))


def rollback(
    environment: str,
    endpoints: str | Sequence[str] = (),
    *,
    every: bool = False,
    to: str = "",
    project: Path | str = ".",
    approve: Approve | None = None,
    on_event: OnEvent | None = None,
    lock_timeout: float = 0.0,
    force_unlock: Sequence[str] = (),
) -> Result:
    """Move all traffic back to the previous release, which is probed first.

    Name the endpoints, or use `every` (`--all` of the command line). `to`: the release or the commit of an earlier
    release that is still deployed. `force_unlock`: ids of locks to take over from the runs that hold them. Result and
    errors are those of `apply`.
    """
    emit = _in_turn(on_event)
    with _doing("roll back"):
        return commands.rollback(
            _project(project, emit),
            environment,
            _keys(endpoints),
            every=every,
            to=to,
            approve=_approval("roll back", approve),
            emit=emit,
            lock_timeout=lock_timeout,
            force_unlock=force_unlock,
        )


def teardown(
    environment: str,
    endpoints: str | Sequence[str] = (),
    *,
    prune: bool = False,
    project: Path | str = ".",
    approve: Approve | None = None,
    on_event: OnEvent | None = None,
    lock_timeout: float = 0.0,
) -> Result:
    """Delete everything that this environment created. Registered models, code and environments stay.

    Without `endpoints` all endpoints of the environment are deleted. Result and errors are those of `apply`.
    """
    emit = _in_turn(on_event)
    with _doing("tear down"):
        return commands.teardown(
            _project(project, emit),
            environment,
            _keys(endpoints),
            prune=prune,
            approve=_approval("tear down", approve),
            emit=emit,
            lock_timeout=lock_timeout,
        )


def invoke(
    environment: str,
    endpoint: str | None = None,
    *,
    image: Path | str | None = None,
    text: str | None = None,
    request_file: Path | str | None = None,
    slot: str | None = None,
    save: Path | str | None = None,
    project: Path | str = ".",
) -> Call:
    """Send one scoring request to the live deployment, or to deployment `slot`.

    The request is that of the endpoint's probe, with `image` and `text` instead of its own; `request_file` is a whole
    JSON request. `endpoint` can be omitted if the environment has one. `save`: the folder for the results.

    `Call.answer` has the bytes of the answer, `Call.evidence` what was measured (`summary`, `data`, `files`), and
    `Call.error` a CloudError if the request failed or the answer is not good, else None. The request is not repeated.

    Raises UsageError for an input that the model does not take, CloudError if no deployment receives traffic.
    """
    sent = Input(_path(image), text, _path(request_file))
    with _doing("invoke"):
        return commands.invoke(_project(project), environment, endpoint, sent, slot=slot, save=_path(save))


def _project(root: Path | str, emit: OnEvent = lambda _: None) -> Project:
    return Project(Path(root), on_note=lambda text: emit(Event(EventKind.NOTE, text=text)))


def _keys(endpoints: str | Sequence[str]) -> Sequence[str]:
    return [endpoints] if isinstance(endpoints, str) else endpoints


def _path(path: Path | str | None) -> Path | None:
    return None if path is None else Path(path)


def _in_turn(on_event: OnEvent | None) -> OnEvent:
    lock = threading.Lock()

    def emit(event: Event) -> None:
        if on_event:
            with lock, silence.audible():
                on_event(event)

    return emit


def _approval(verb: str, approve: Approve | None) -> commands.Approve:
    def check(plan: Plan, _: bool) -> None:
        with silence.audible():
            is_approved = approve is None or not plan.steps or approve(plan)
        if not is_approved:
            cause = "cancelled by approve, nothing was changed"
            raise UsageError(f"{verb} {plan.environment}", cause, "Return True from approve", code="AML643")

    return check


@contextmanager
def _doing(verb: str) -> Iterator[None]:
    """Prints of libraries are discarded, and a refusal names the verb of the call."""
    try:
        with silence.silenced():
            yield
    except Refused as refused:
        raise Refused(refused.findings, verb) from refused
