"""Long-running operations: started once, polled to their end, and checked by reading the resource if polling fails.

If a response is lost, or the status of an operation cannot be found, or it was cancelled, or another operation is
running, the resource itself shows the result: it is polled while it is being changed, and only if it is not in the
desired state, the change is sent again, at most twice. No change is sent again without such a read.
Every wait is yielded, so an operation that takes an hour in Azure holds no thread here.
Our own instead of azure-core's LROPoller, which notices an end 5 to 30 s late, sends extra reads and needs a thread for
each operation; azure-ai-ml sends the change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from deploy.clock import Task, Wait
from deploy.cloud import response_schemas
from deploy.cloud.arm import Answer
from deploy.cloud.busy_list import FINISHED, is_changing
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import from_answer, retry_after_seconds, translated_errors
from deploy.cloud.transport import Accepted
from deploy.domain.arm import Json
from deploy.errors import CloudError, NotAuthenticated, Unanswered

VERSION = "2024-10-01"
MAX_SENDS = 3
_READS = 4
_PAUSE, MIN_TIMEOUT = 5.0, 1.0


@dataclass(frozen=True)
class Operation:
    """A change and the desired state; `path` and `parent` are ARM ids, `is_desired` checks whether a body has it.

    `what`: a verb and an address, such as "create endpoint/mip". `timeout_seconds`: seconds from the first request to
    the last read.
    """

    what: str
    path: str
    is_desired: Callable[[Json | None], bool]
    timeout_seconds: float
    parent: str | None = None

    @property
    def collection(self) -> str:
        """The path of the list that contains the resource."""
        return self.path.rpartition("/")[0]


def run_operation(cloud: Cloud, operation: Operation, begin: Callable[[], object]) -> Task[None]:
    """Start with `begin`, which sends the change as its last request; return in the desired state. If the last attempt
    was not confirmed, the resource is read first.

    Raises CloudError with Azure's message, Transient if a retry may succeed, and Unanswered if the end is unknown.
    """
    deadline = cloud.clock.monotonic() + max(operation.timeout_seconds, MIN_TIMEOUT)
    if operation.path in cloud.unconfirmed:
        there = yield from _read_at_rest(cloud, operation, deadline)
        if operation.is_desired(there):
            return
    cloud.unconfirmed.add(operation.path)
    yield from _start_and_follow(cloud, operation, begin, deadline)
    cloud.unconfirmed.discard(operation.path)


def _start_and_follow(cloud: Cloud, operation: Operation, begin: Callable[[], object], deadline: float) -> Task[None]:
    for starts_left in reversed(range(MAX_SENDS)):
        try:
            accepted = yield from _begin(cloud, operation, begin)
            return (yield from _follow(cloud, operation, accepted, deadline))
        except (CloudError, NotAuthenticated) as error:
            if not _is_unclear(error, operation):
                raise
            if operation.is_desired((yield from _read_at_rest(cloud, operation, deadline))):
                return None
            if not starts_left or not _can_send_again(error):
                raise
    return None


def _begin(cloud: Cloud, operation: Operation, begin: Callable[[], object]) -> Task[Accepted]:
    """Send the change and return Azure's response to it; `begin` may block for as long as an upload takes."""
    while seconds := cloud.arm.transport.meter.limiter.refused_for("PUT"):
        yield Wait(seconds, reason="Azure accepts no more changes (429)")
    yield Wait(0, may_block=True)
    with translated_errors(operation.what):
        begin()
    accepted: Accepted = cloud.arm.transport.responses.accepted
    return accepted


def send_once(send: Callable[[], None], is_done: Callable[[], bool]) -> None:
    """Send a change that is one request; once more only if its response was lost and the change did not happen."""
    try:
        send()
    except Unanswered as error:
        if is_done():
            return
        if not error.sent:
            raise
        send()


def _follow(cloud: Cloud, operation: Operation, accepted: Accepted, deadline: float) -> Task[None]:
    where, started = accepted.operation or accepted.result, cloud.clock.monotonic()
    if where is None:
        return (yield from _end_without_operation(cloud, operation, accepted, deadline))
    verb, retry_after = operation.what.partition(" ")[0], retry_after_seconds(accepted.headers)
    kind = f"{verb} {accepted.method} {operation.path.split('/')[-2]}"  # Azure creates and changes with the same PUT
    with cloud.poll_interval.following(operation.collection):
        while (spent := cloud.clock.monotonic() - started) < deadline - started:
            yield Wait(min(cloud.poll_interval.pause(kind, spent, retry_after), deadline - started - spent))
            state, answer = _state_of(cloud, operation, accepted, where)
            if state in FINISHED:
                cloud.poll_interval.ended(kind, cloud.clock.monotonic() - started)
                return _ended(operation, state, answer)
            retry_after = retry_after_seconds(answer.headers) if answer else retry_after
    raise _still_running(operation)


def _end_without_operation(cloud: Cloud, operation: Operation, accepted: Accepted, deadline: float) -> Task[None]:
    """The end of a change without an operation, from the state of the resource."""
    if accepted.method == "DELETE":
        return
    body = yield from _read_at_rest(cloud, operation, deadline)
    _ended(operation, str(((body or {}).get("properties") or {}).get("provisioningState") or "Succeeded").lower(), None)


def _state_of(cloud: Cloud, operation: Operation, accepted: Accepted, where: str) -> tuple[str, Answer | None]:
    """The state of a change, in lower case. After a PUT the resource is read first, or a list of many; if it is at rest
    but not in the desired state, the operation returns the reason.
    """
    if accepted.method == "PUT":
        with suppress(CloudError, NotAuthenticated):
            in_flight = cloud.poll_interval.in_flight(operation.collection)
            if cloud.busy_list.is_busy(operation.path, in_flight, lambda path: _list(cloud, path, operation.what)):
                return "updating", None
            body = response_schemas.checked(
                cloud.arm.poll(accepted.url, operation.what).body, response_schemas.Resource, operation.what
            )
            if is_changing(body):
                return "updating", None
            if operation.is_desired(body):
                return "succeeded", None
    answer = _progress(cloud, operation, where)
    return (_state_of_operation(operation, answer) if accepted.operation else _state_of_result(answer)), answer


def _list(cloud: Cloud, path: str, what: str) -> list[Json]:
    return cloud.arm.list(path, VERSION, what, response_schemas.Resource)


def _progress(cloud: Cloud, operation: Operation, where: str) -> Answer:
    try:
        return cloud.arm.poll(where, operation.what)
    except (NotAuthenticated, CloudError) as error:
        if (
            isinstance(error, CloudError) and error.status == 400
        ):  # the failure of an operation without a status of its own
            raise
        raise _not_followed(error) from error


def _state_of_operation(operation: Operation, answer: Answer) -> str:
    """The status of an operation, in lower case."""
    status = answer.body.get("status") if isinstance(answer.body, Mapping) else None
    if not isinstance(status, str):
        raise _cannot_follow(operation.what, "the response has no status")
    return status.lower()


def _state_of_result(answer: Answer) -> str:
    return "updating" if answer.status == 202 else "succeeded"


def _ended(operation: Operation, state: str, answer: Answer | None) -> None:
    if state == "succeeded":
        return
    if answer is not None and isinstance(answer.body.get("error"), Mapping):
        raise from_answer(operation.what, answer.status, answer.body, answer.headers)
    cause = f"it ended as {state}, and Azure returned no reason"
    raise CloudError(operation.what, cause, "Read `amldeploy logs`", code="AML345")


def _not_followed(error: CloudError | NotAuthenticated) -> CloudError:
    """The error for an accepted operation that cannot be polled, which does not mean that it failed."""
    if isinstance(error, Unanswered):
        return error
    return _cannot_follow(error.what, error.cause)


def _cannot_follow(what: str, cause: str) -> Unanswered:
    lost = Unanswered(what, f"the operation cannot be followed: {cause}", "Apply again", code="AML363")
    lost.sent = True
    return lost


def _is_unclear(error: CloudError | NotAuthenticated, operation: Operation) -> bool:
    if isinstance(error, NotAuthenticated) or error.code == "AML361":
        return False
    is_gone = error.status == 404 and operation.parent is not None
    return isinstance(error, Unanswered) or is_gone


def _can_send_again(error: CloudError | NotAuthenticated) -> bool:
    """Whether to send the change again: not after HTTP retries, but after a lost response or a missing parent."""
    return not isinstance(error, Unanswered) or error.sent


def _read_at_rest(cloud: Cloud, operation: Operation, deadline: float) -> Task[Json | None]:
    """The resource, after all operations on it and its parent have ended; None if it does not exist."""
    while True:
        body = yield from _read(cloud, operation, operation.path)
        above = (yield from _read(cloud, operation, operation.parent)) if operation.parent else None
        if not (is_changing(body) or is_changing(above)):
            return body
        if cloud.clock.monotonic() + _PAUSE > deadline:
            raise _still_running(operation)
        yield Wait(_PAUSE)


def _read(cloud: Cloud, operation: Operation, path: str) -> Task[Json | None]:
    """The resource; read again after pauses if there is no response."""
    for pause in (_PAUSE * 3**n for n in range(_READS - 1)):
        try:
            return cloud.arm.look(path, VERSION, operation.what, response_schemas.Resource)
        except Unanswered:
            yield Wait(pause)
    return cloud.arm.look(path, VERSION, operation.what, response_schemas.Resource)


def _still_running(operation: Operation) -> Unanswered:
    return Unanswered(
        operation.what,
        f"the operation is still running after {operation.timeout_seconds:.0f} s",
        "Apply again to wait for it, since it continues in Azure, or raise retry.deadline in pipeline.yml",
        code="AML361",
    )
