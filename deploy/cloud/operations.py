"""Long operations seen through: started once, followed to their end, and looked at again when the thread is lost.

A lost answer, an operation whose status is not found, one that was cancelled, another in the way: in each case the
resource itself says what is the case. It is waited for while it is being changed; what is as wanted is done; only what
is not is asked for again, and not often. No change is ever sent again without such a look. The SDK sends the change;
its end is read here, since the SDK's pollers take 5 to 30 s to notice and read back what nobody asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from deploy.cloud import response_schemas
from deploy.cloud.arm import Answer
from deploy.cloud.connect import Cloud
from deploy.cloud.failures import asking, from_answer, retry_after_seconds
from deploy.cloud.transport import Accepted
from deploy.domain.arm import Json
from deploy.errors import CloudError, NotAuthenticated, Unanswered

VERSION = "2024-10-01"
_ASKS = 3
_LOOKS = 4
_PAUSE, _LEAST = 5.0, 1.0
_FINISHED = frozenset({"succeeded", "failed", "canceled"})


@dataclass(frozen=True)
class Operation:
    """What an operation is to bring about: `path` and `parent` are ARM ids, `settled` says of a body whether it is so.

    `patience`: seconds from the first request to the last look.
    """

    what: str
    path: str
    settled: Callable[[Json | None], bool]
    patience: float
    parent: str | None = None


def run_operation(cloud: Cloud, operation: Operation, begin: Callable[[], object]) -> None:
    """Start with `begin`, whose last request is the change, and return when the aim is reached. What did not end well
    the last time is looked at before it is started again.

    Raises CloudError as Azure words it, Transient when Azure may agree later, and Unanswered when the end is not known.
    """
    deadline = cloud.clock.monotonic() + max(operation.patience, _LEAST)
    if operation.path in cloud.unconfirmed and operation.settled(_look(cloud, operation, deadline)):
        return
    cloud.unconfirmed.add(operation.path)
    _insist(cloud, operation, begin, deadline)
    cloud.unconfirmed.discard(operation.path)


def _insist(cloud: Cloud, operation: Operation, begin: Callable[[], object], deadline: float) -> None:
    for asks_left in reversed(range(_ASKS)):
        try:
            return _follow(cloud, operation, begin, deadline)
        except (CloudError, NotAuthenticated) as error:
            if not _is_unclear(error, operation):
                raise
            if operation.settled(_look(cloud, operation, deadline)):
                return None
            if not asks_left or not _may_ask_again(error):
                raise
    return None


def send_once(send: Callable[[], None], is_so: Callable[[], bool]) -> None:
    """A change that is one request: sent once more only if its answer was lost and it has not come about."""
    try:
        send()
    except Unanswered as error:
        if is_so():
            return
        if not error.sent:
            raise
        send()


def _follow(cloud: Cloud, operation: Operation, begin: Callable[[], object], deadline: float) -> None:
    with asking(operation.what):
        begin()
    accepted = cloud.arm.transport.kept.accepted
    where, started = accepted.operation or accepted.result, cloud.clock.monotonic()
    if where is None:
        return _at_rest(cloud, operation, accepted, deadline)
    kind, wish = f"{accepted.method} {operation.path.split('/')[-2]}", retry_after_seconds(accepted.headers)
    while (spent := cloud.clock.monotonic() - started) < deadline - started:
        cloud.clock.sleep(min(cloud.poll_interval.pause(kind, spent, wish), deadline - started - spent))
        state, answer = _stands(cloud, operation, accepted, where)
        if state in _FINISHED:
            cloud.poll_interval.ended(kind, cloud.clock.monotonic() - started)
            return _ended(operation, state, answer)
        wish = retry_after_seconds(answer.headers) if answer else wish
    raise _still_running(operation)


def _at_rest(cloud: Cloud, operation: Operation, accepted: Accepted, deadline: float) -> None:
    """Of a change that names no operation, the resource itself says how it ended."""
    if accepted.method == "DELETE":
        return
    body = _look(cloud, operation, deadline)
    _ended(operation, str(((body or {}).get("properties") or {}).get("provisioningState") or "Succeeded").lower(), None)


def _stands(cloud: Cloud, operation: Operation, accepted: Accepted, where: str) -> tuple[str, Answer | None]:
    """How a change stands, in lower case. What was PUT is looked at itself; where that is at rest and not what was
    wanted, the operation says why.
    """
    if accepted.method == "PUT":
        with suppress(CloudError, NotAuthenticated):
            body = response_schemas.checked(
                cloud.arm.ask(accepted.url, operation.what).body, response_schemas.Resource, operation.what
            )
            if _is_busy(body):
                return "updating", None
            if operation.settled(body):
                return "succeeded", None
    answer = _progress(cloud, operation, where)
    return (_state(operation, answer) if accepted.operation else _arrived(answer)), answer


def _progress(cloud: Cloud, operation: Operation, where: str) -> Answer:
    try:
        return cloud.arm.ask(where, operation.what)
    except (NotAuthenticated, CloudError) as error:
        if isinstance(error, CloudError) and error.status == 400:  # an operation that is told by its result ends so
            raise
        raise _lost_sight(error) from error


def _state(operation: Operation, answer: Answer) -> str:
    """The status in an operation's own words, in lower case."""
    told = answer.body.get("status") if isinstance(answer.body, Mapping) else None
    if not isinstance(told, str):
        raise _out_of_sight(operation.what, "the answer does not say how it stands")
    return told.lower()


def _arrived(answer: Answer) -> str:
    return "updating" if answer.status == 202 else "succeeded"


def _ended(operation: Operation, state: str, answer: Answer | None) -> None:
    if state == "succeeded":
        return
    if answer is not None and isinstance(answer.body.get("error"), Mapping):
        raise from_answer(operation.what, answer.status, answer.body, answer.headers)
    cause = f"it ended as {state}, and Azure does not say why"
    raise CloudError(operation.what, cause, "Read `amldeploy logs`", code="AML345")


def _lost_sight(error: CloudError | NotAuthenticated) -> CloudError:
    """Of an operation that was accepted, an answer other than its own end says only that it is out of sight."""
    if isinstance(error, Unanswered):
        return error
    return _out_of_sight(error.what, error.cause)


def _out_of_sight(what: str, cause: str) -> Unanswered:
    lost = Unanswered(what, f"the operation is out of sight: {cause}", "Apply again", code="AML363")
    lost.sent = True
    return lost


def _is_unclear(error: CloudError | NotAuthenticated, operation: Operation) -> bool:
    if isinstance(error, NotAuthenticated) or error.code == "AML361":
        return False
    is_gone = error.status == 404 and operation.parent is not None
    return isinstance(error, Unanswered) or is_gone


def _may_ask_again(error: CloudError | NotAuthenticated) -> bool:
    """What HTTP has been retried for is not sent again; what was sent once, or never reached its place, is."""
    return not isinstance(error, Unanswered) or error.sent


def _look(cloud: Cloud, operation: Operation, deadline: float) -> Json | None:
    """The resource once nobody is at work on it or on what it belongs to; None when it is not there."""
    while True:
        body = _read(cloud, operation, operation.path)
        above = _read(cloud, operation, operation.parent) if operation.parent else None
        if not (_is_busy(body) or _is_busy(above)):
            return body
        if cloud.clock.monotonic() + _PAUSE > deadline:
            raise _still_running(operation)
        cloud.clock.sleep(_PAUSE)


def _read(cloud: Cloud, operation: Operation, path: str) -> Json | None:
    """One look, and a few more after pauses when nobody answers."""
    for pause in (_PAUSE * 3**n for n in range(_LOOKS - 1)):
        try:
            return cloud.arm.look(path, VERSION, operation.what, response_schemas.Resource)
        except Unanswered:
            cloud.clock.sleep(pause)
    return cloud.arm.look(path, VERSION, operation.what, response_schemas.Resource)


def _is_busy(body: Json | None) -> bool:
    state = str(((body or {}).get("properties") or {}).get("provisioningState") or "Succeeded")
    return state.lower() not in _FINISHED


def _still_running(operation: Operation) -> Unanswered:
    return Unanswered(
        operation.what,
        f"the operation is still running after {operation.patience:.0f} s",
        "Azure goes on with it: apply again to see it through, or raise retry.deadline in pipeline.yml",
        code="AML361",
    )
