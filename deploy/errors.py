"""What can go wrong, and what to do about it.

Every failure that a person or Azure can cause is one of these classes, carries its exit code, and reads
**cannot <do what>: <the words of whoever refused>. <what to do>.** Anything else that escapes is a bug.
This room never prints and never decides; it holds words.

    DeployError
    ├── SpecError      fix a file: every problem at once, each with its place       exit 3
    ├── Refused        quota, permission, model, guard: before any change            exit 4
    ├── StalePlan      the world moved since the plan was made                       exit 7
    ├── Locked         somebody else is at work                                      exit 8
    ├── NotAuthenticated  no credential, or one that Azure does not accept           exit 9
    ├── UsageError     the command line cannot be obeyed as it stands                exit 64
    └── CloudError     Azure refused; asking again would not help                    exit 5
        ├── Transient  Azure may agree later
        └── Unanswered Azure did not answer, however often it was asked
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from deploy.text import count
from deploy.text import sanitize as sanitize  # noqa: PLC0414 errors are where it is looked for

BUG = "AML001"
"""The code of a failure that is ours."""
POOL_FULL = "AML311"
"""The code of a shared pool that has nothing left to lend."""


class Exit(IntEnum):
    """Exit codes; stable for ever."""

    OK = 0
    BUG = 1
    CHANGES = 2
    FILES = 3
    REFUSED = 4
    STEP_FAILED = 5
    RESCUE_FAILED = 6
    STALE = 7
    LOCKED = 8
    AUTH = 9
    USAGE = 64
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, order=True)
class Place:
    """A point in a file a person wrote; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in one place: what it is and how to mend it."""

    place: Place
    code: str
    cause: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.code} {self.cause}" + (f" {self.cure}" if self.cure else "")


@dataclass(frozen=True)
class Finding:
    """One reason to refuse a plan, with the numbers it stands on."""

    address: str
    code: str
    cause: str
    cure: str


class DeployError(Exception):
    """Anything a user or Azure can do wrong. `what` completes the words "cannot ..."."""

    exit: ClassVar[Exit] = Exit.STEP_FAILED

    def __init__(self, what: str, cause: str, cure: str = "", *, code: str = "AML400") -> None:
        super().__init__(what, cause, cure)
        self.what, self.cause, self.cure, self.code = what, sanitize(cause), cure, code

    def __str__(self) -> str:
        return f"cannot {self.what}: {_sentence(self.cause)}" + (f" {_sentence(self.cure)}" if self.cure else "")

    @property
    def message(self) -> str:
        """What is said where the code stands beside it."""
        return str(self)


class SpecError(DeployError):
    """The files are wrong. Holds every problem found, sorted by place."""

    exit = Exit.FILES

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(
            "read the files", f"{count(len(self.problems), 'problem')} found", "Mend each one", code="AML100"
        )

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class Refused(DeployError):
    """A plan that must not start. Holds every finding, so that one visit mends all; `doing` is what is refused."""

    exit = Exit.REFUSED

    def __init__(self, findings: Sequence[Finding], doing: str = "plan") -> None:
        self.findings, self.doing = tuple(findings), doing
        first = self.findings[0]
        super().__init__(f"{doing} {first.address}", first.cause, first.cure, code=first.code)

    def __str__(self) -> str:
        lines = zip(self.findings, self.message.split("\n"), strict=True)
        return "\n".join(f"{finding.code} {line}" for finding, line in lines)

    @property
    def message(self) -> str:
        causes = [" ".join(sanitize(finding.cause).split("\n")) for finding in self.findings]
        return "\n".join(
            f"cannot {self.doing} {f.address}: {_sentence(cause)} {_sentence(f.cure)}"
            for f, cause in zip(self.findings, causes, strict=True)
        )


class StalePlan(DeployError):
    """The plan file no longer fits the world."""

    exit = Exit.STALE


class Locked(DeployError):
    """Another run is at work in this environment."""

    exit = Exit.LOCKED


class NotAuthenticated(DeployError):
    """No credential could be found, or none that Azure accepts."""

    exit = Exit.AUTH


class UsageError(DeployError):
    """The command cannot be obeyed as typed; the cure names the flag or word that is missing."""

    exit = Exit.USAGE


class CloudError(DeployError):
    """Azure refused, and asking again would not help. What a step meets is the report's; any other precedes all change.

    `codes` are Azure's error codes from the outermost inwards, `status` the HTTP status (200 for an operation
    that failed after it was accepted), `request_id` what a support ticket needs. `attached` holds what a person will
    want to read next (container logs, a wrong answer), by file name; it goes into the report's folder. `diagnosis`
    says why a deployment failed. `after_role`: a role that was given just now may be what is not yet in effect.
    """

    exit = Exit.REFUSED

    def __init__(
        self,
        what: str,
        cause: str,
        cure: str = "",
        *,
        code: str = "AML300",
        codes: Sequence[str] = (),
        status: int | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(what, cause, cure, code=code)
        self.codes, self.status, self.request_id = tuple(codes), status, request_id
        self.attached: dict[str, bytes] = {}
        self.diagnosis: Mapping[str, object] | None = None
        self.after_role = False


class Transient(CloudError):
    """Azure may agree later. `retry_after` is the shortest wait in seconds, when Azure or its documentation names one.

    `patient`: what is in the way ends by itself (an operation, a replication), so only the deadline ends the waiting.
    `tries`: no more than so many in all, whatever the step would allow.
    """

    retry_after: float | None = None
    patient: bool = False
    tries: int | None = None


class Unanswered(CloudError):
    """No answer that can be used, although HTTP was given its chances: whoever asked for a change must look again.

    `sent`: the request left once and its answer was lost, so what it asked for may be done.
    """

    sent: bool = False


class Terminated(KeyboardInterrupt):
    """SIGTERM: like Ctrl-C, except for the code to leave with."""


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?:" else text + "."
