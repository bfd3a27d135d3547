"""The error classes. Each has an exit code and a message that includes what to do.

Every failure that a user or Azure can cause is one of these classes. Its message has the form
**cannot <verb> <address>: <cause>. <What to do>.** Any other exception is a bug.

    DeployError
    ├── SpecError      the files are invalid: all problems, each with its location   exit 3
    ├── Refused        refused before any change: quota, permission, model, guard    exit 4
    ├── StalePlan      Azure or the files changed after the plan was made            exit 7
    ├── Locked         another run changes this endpoint                             exit 8
    ├── NotAuthenticated  no credential, or one that Azure does not accept           exit 9
    ├── UsageError     the command line is invalid                                   exit 64
    └── CloudError     Azure refused, and a retry would not help                     exit 4; in a step 5
        ├── Transient  a later retry may succeed
        └── Unanswered no usable response after all retries
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from deploy.sanitize import sanitize as sanitize  # noqa: PLC0414 re-exported for the modules that raise errors
from deploy.text import count

BUG = "AML001"
"""The code of a bug in amldeploy."""
POOL_FULL = "AML311"
"""The code of a shared quota pool without free machines."""
LOCK_LOST = "AML671"
"""The code of a run that lost the lock of an endpoint, so that it writes nothing more."""
CONFLICTS = frozenset({"AML230", "AML234", "AML319", "AML338"})
"""The codes of steps that wrote nothing, because another run or a person changed something after the plan was made."""


class Exit(IntEnum):
    """Exit codes. They never change."""

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
    """A location in a file that the user wrote; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, order=True)
class Problem:
    """One problem at one location: its cause and how to fix it."""

    place: Place
    code: str
    cause: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.code} {self.cause}" + (f" {self.cure}" if self.cure else "")


@dataclass(frozen=True)
class Finding:
    """One reason to refuse a plan, with its numbers."""

    address: str
    code: str
    cause: str
    cure: str


class DeployError(Exception):
    """A failure that a user or Azure can cause. `what` completes the sentence "cannot ..."."""

    exit: ClassVar[Exit] = Exit.STEP_FAILED

    def __init__(self, what: str, cause: str, cure: str = "", *, code: str = "AML400") -> None:
        super().__init__(what, cause, cure)
        self.what, self.cause, self.cure, self.code = what, sanitize(cause), cure, code

    def __str__(self) -> str:
        return f"cannot {self.what}: {_sentence(self.cause)}" + (f" {_sentence(self.cure)}" if self.cure else "")

    @property
    def message(self) -> str:
        """The text without error codes."""
        return str(self)


class SpecError(DeployError):
    """The files are invalid. Holds all problems, sorted by location."""

    exit = Exit.FILES

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(
            "read the files", f"{count(len(self.problems), 'problem')} found", "Fix each one", code="AML100"
        )

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class Refused(DeployError):
    """A plan that must not start. Holds all findings, so that the user can fix them at once; `doing` is the verb."""

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
    """The plan no longer matches Azure or the files."""

    exit = Exit.STALE


class Locked(DeployError):
    """Another run holds the lock of an endpoint, or this run has lost it."""

    exit = Exit.LOCKED


class NotAuthenticated(DeployError):
    """No credential was found, or Azure does not accept it."""

    exit = Exit.AUTH


class UsageError(DeployError):
    """The command line is invalid; the cure names the missing flag or argument."""

    exit = Exit.USAGE


class CloudError(DeployError):
    """Azure refused, and a retry would not help. Exit code 4; the report sets exit code 5 where a step raised it.

    `codes` are Azure's error codes from the outermost inwards, `status` the HTTP status (200 for an operation
    that failed after it was accepted), `request_id` what a support ticket needs. `attached`: file name -> content of
    what the user needs next (container logs, a wrong answer); it is saved in the report folder. `diagnosis`: the cause
    of a failed deployment. `data`: results for the report, as far as there are any. `after_role`: the cause may be a
    new role assignment that is not yet effective.
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
        self.data: Mapping[str, object] = {}
        self.diagnosis: Mapping[str, object] | None = None
        self.after_role = False


class Transient(CloudError):
    """A later retry may succeed. `retry_after`: shortest wait in seconds, where Azure or its documentation names one.

    `until_deadline`: the obstacle ends by itself (an operation, a replication), so retries go on until the deadline.
    `max_attempts`: the maximum number of attempts, even if the step allows more.
    """

    retry_after: float | None = None
    until_deadline: bool = False
    max_attempts: int | None = None


class Unanswered(CloudError):
    """No usable response after all HTTP retries: after a change request, read the resource again.

    `sent`: the request was sent once and its response was lost, so the change may have happened.
    """

    sent: bool = False


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: like Ctrl-C, with another exit code."""


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?:" else text + "."
