"""Long operations seen through: started once, followed to their end, and looked at again when the thread is lost.

A lost answer, an operation whose status is not found, another operation in the way: in each case the resource itself
says what is the case. It is waited for while it is being changed; what is as wanted is done; only what is not is asked
for again, and not often. No change is ever sent again without such a look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy.cloud.connect import Cloud
from deploy.cloud.failures import asking
from deploy.errors import CloudError, NotAuthenticated, Unanswered
from deploy.model import Json

VERSION = "2024-10-01"
_BUSY = "AML330"
_ASKS = 3
_LOOKS = 4
_PAUSE, _SLICE = 5.0, 1.0
_FINISHED = frozenset({"succeeded", "failed", "canceled"})


@dataclass(frozen=True)
class Aim:
    """What an operation is to bring about: `path` and `parent` are ARM ids, `settled` says of a body whether it is so.

    `patience`: seconds from the first request to the last look.
    """

    what: str
    path: str
    settled: Callable[[Json | None], bool]
    patience: float
    parent: str | None = None


def see_through(cloud: Cloud, aim: Aim, begin: Callable[[], Any]) -> None:
    """Start with `begin`, which returns the SDK's poller, and return when the aim is reached.

    Raises CloudError as Azure words it, Transient when Azure may agree later, and Unanswered when the end is not known.
    """
    deadline = cloud.clock.monotonic() + max(aim.patience, _SLICE)
    for asks_left in reversed(range(_ASKS)):
        try:
            return _follow(cloud, aim, begin, deadline)
        except (CloudError, NotAuthenticated) as error:
            if not _is_unclear(error, aim):
                raise
            if aim.settled(_look(cloud, aim, deadline)):
                return None
            if not asks_left or not _may_ask_again(error):
                raise
    return None


def make_sure(send: Callable[[], None], is_so: Callable[[], bool]) -> None:
    """A change that is one request: sent once more only if its answer was lost and it has not come about."""
    try:
        send()
    except Unanswered as error:
        if is_so():
            return
        if not error.sent:
            raise
        send()


def _follow(cloud: Cloud, aim: Aim, begin: Callable[[], Any], deadline: float) -> None:
    with asking(aim.what):
        poller = begin()
    try:
        with asking(aim.what):
            while not poller.done():
                if cloud.clock.monotonic() >= deadline:
                    cloud.arm.transport.abandon(getattr(poller, "_thread", None))
                    raise _still_running(aim)
                poller.wait(timeout=_SLICE)
            result = poller.result()
    except (NotAuthenticated, CloudError) as error:
        raise _lost_sight(error) from error
    state = str(getattr(result, "provisioning_state", None) or "Succeeded").rsplit(".", 1)[-1].lower()
    if state in ("failed", "canceled"):
        cause = f"it ended as {state}, and Azure does not say why"
        raise CloudError(aim.what, cause, "Read `amldeploy logs`", code="AML345")


def _lost_sight(error: CloudError | NotAuthenticated) -> CloudError:
    """Of an operation that was accepted, an answer other than its own end says only that it is out of sight."""
    if isinstance(error, CloudError) and (isinstance(error, Unanswered) or error.status == 200 or error.status is None):
        return error
    lost = Unanswered(error.what, f"the operation is out of sight: {error.cause}", "Apply again", code="AML363")
    lost.sent = True
    return lost


def _is_unclear(error: CloudError | NotAuthenticated, aim: Aim) -> bool:
    if isinstance(error, NotAuthenticated) or error.code == "AML361":
        return False
    gone = error.status == 404 and aim.parent is not None
    return isinstance(error, Unanswered) or error.code == _BUSY or gone


def _may_ask_again(error: CloudError | NotAuthenticated) -> bool:
    """What HTTP has been retried for is not sent again; what was sent once, or never reached its place, is."""
    return not isinstance(error, Unanswered) or error.sent


def _look(cloud: Cloud, aim: Aim, deadline: float) -> Json | None:
    """The resource once nobody is at work on it or on what it belongs to; None when it is not there."""
    while True:
        body = _read(cloud, aim, aim.path)
        above = _read(cloud, aim, aim.parent) if aim.parent else None
        if not (_is_busy(body) or _is_busy(above)):
            return body
        if cloud.clock.monotonic() + _PAUSE > deadline:
            raise _still_running(aim)
        cloud.clock.sleep(_PAUSE)


def _read(cloud: Cloud, aim: Aim, path: str) -> Json | None:
    """One look, and a few more after pauses when nobody answers."""
    for pause in (_PAUSE * 3**n for n in range(_LOOKS - 1)):
        try:
            return cloud.arm.look(path, VERSION, aim.what)
        except Unanswered:
            cloud.clock.sleep(pause)
    return cloud.arm.look(path, VERSION, aim.what)


def _is_busy(body: Json | None) -> bool:
    state = str(((body or {}).get("properties") or {}).get("provisioningState") or "Succeeded")
    return state.lower() not in _FINISHED


def _still_running(aim: Aim) -> Unanswered:
    return Unanswered(
        aim.what,
        f"the operation is still running after {aim.patience:.0f} s",
        "Azure goes on with it: apply again to see it through, or raise retry.deadline in pipeline.yml",
        code="AML361",
    )
