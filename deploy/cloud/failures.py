"""Azure's errors become ours, once: which may pass, which are final, what to do about each.

Azure's outer code says little (`BadRequest`) and the status of an accepted operation that failed is 200, so a failure
is judged by every nested code and by its words, with the table of `troubles`. What HTTP was retried for and is still
there becomes `Unanswered`, so that nobody multiplies the tries. No retrying happens here.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from deploy.cloud import github
from deploy.cloud.error_table import Kind, find
from deploy.cloud.transport import IMPORT_LOCK, AnswerLost, LongWait
from deploy.errors import CloudError, DeployError, NotAuthenticated, Transient, Unanswered

T = TypeVar("T")
_AGAIN = "Something between here and Azure cut the answer off: apply again, and it is looked at what was done"
_UNKNOWN_CLOUD = "Unknown cloud environment"
"""What azure-ai-ml says of any failure to read where the planes of a cloud are; it keeps the reason to itself."""
_AZURE = ("azure.", "msrest", "isodate")
_HICCUPS = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that azure-core has asked about again before they come here."""


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Everything that azure libraries raise inside leaves as one of our errors, saying `cannot <what>`."""
    try:
        yield
    except DeployError:
        raise
    except Exception as error:
        ours = translate(error, what)
        if ours is None:
            raise
        raise ours from error


def try_read(read: Callable[[], T]) -> tuple[T | None, str]:
    """What is read and ""; or None and why not ("may not be read"): for what no more than a check stands on."""
    try:
        return read(), ""
    except CloudError as error:
        return None, "may not be read" if error.status == 403 else f"could not be read: {error.cause.rstrip('. ')}"


def translate(error: Exception, what: str) -> DeployError | None:
    """Our error for one of azure's or requests'; None for anything else, which is a bug and stays one."""
    from azure.core import exceptions as azure
    from azure.identity import CredentialUnavailableError

    if isinstance(error, AnswerLost):
        return _lost(what, _first_line(str(error)))
    if isinstance(error, LongWait):
        cure = "Azure limits how much is asked of it: wait"
        throttled = Transient(what, f"Azure asks to wait {error.seconds:.0f} s", cure, code="AML352")
        throttled.retry_after = error.seconds
        return throttled
    if isinstance(error, (CredentialUnavailableError, azure.ClientAuthenticationError)):
        if github.is_withheld(os.environ):
            return NotAuthenticated(what, "GitHub offers this job no ID token", github.PERMIT, code="AML328")
        return NotAuthenticated(
            what,
            _first_line(str(error)),
            "Sign in (az login), or set the variables of a service principal or a federated identity",
            code="AML900",
        )
    if isinstance(error, azure.HttpResponseError):
        return _from_response(error, what)
    if _UNKNOWN_CLOUD in str(error):
        _import_anew()
        where = os.environ.get("ARM_CLOUD_METADATA_URL", "the Resource Manager")
        cure = "Check the network, and ARM_CLOUD_METADATA_URL if it is set, then apply again"
        return Transient(what, f"azure-ai-ml could not read at {where} what the cloud is made of", cure, code="AML364")
    if type(error).__module__.startswith(("azure.ai.ml", "marshmallow")):
        return CloudError(what, _first_line(str(error)), "Mend what it names", code="AML301")
    if isinstance(error, azure.AzureError):
        return Unanswered(what, _first_line(str(error)), "Check the network, then apply again", code="AML360")
    return _unreadable(error, what)


def _unreadable(error: Exception, what: str) -> Unanswered | None:
    """Our error for an answer that was read and cannot be: azure's libraries take each for well-formed and stumble."""
    if isinstance(error, ValueError) and "json" in type(error).__module__:
        return Unanswered(what, "the answer is no JSON object", _AGAIN, code="AML362")
    frames = list(traceback.walk_tb(error.__traceback__))
    if frames and str(frames[-1][0].f_globals.get("__name__")).startswith(_AZURE):
        told = f"{type(error).__name__}: {_first_line(str(error))}"
        return _lost(what, f"azure's client cannot read what came as an answer ({told})")
    return None


def _lost(what: str, why: str) -> Unanswered:
    """The error for a request that left, and nobody knows what came of it."""
    lost = Unanswered(what, why, _AGAIN, code="AML362")
    lost.sent = True
    return lost


def _import_anew() -> None:
    """azure-ai-ml reads what the cloud is made of as it is imported, too, and half imported it could never be again."""
    with IMPORT_LOCK:
        if "azure.ai.ml" not in sys.modules:
            for name in [name for name in sys.modules if name.startswith("azure.ai.ml.")]:
                del sys.modules[name]


def _from_response(error: Any, what: str) -> DeployError:
    response = getattr(error, "response", None)
    headers: Mapping[str, str] = getattr(response, "headers", None) or {}
    return from_answer(what, error.status_code, _body(error), headers, words=str(error.message or ""))


def from_answer(
    what: str, status: int | None, body: Any, headers: Mapping[str, str], *, words: str = ""
) -> CloudError | NotAuthenticated:
    """Our error for an ARM answer: its status, its parsed body and its headers."""
    codes, messages = _walk(body.get("error") if isinstance(body, Mapping) else None)
    told = " ".join(dict.fromkeys(m for m in messages if m)) or _first_line(words) or f"HTTP status {status}"
    request_id = headers.get("x-ms-request-id") or headers.get("x-ms-correlation-request-id") or ""
    if status == 401:
        return NotAuthenticated(what, told, "Sign in again; the token is expired or for another tenant", code="AML901")
    row = find(" ".join((*codes, told)))
    if status in _HICCUPS:
        code, cure = (row.code, row.cure) if row else _hiccup(status)
        return Unanswered(what, told, cure, code=code, codes=codes, status=status, request_id=request_id)
    if row is None:
        code, cure = _plain(status)
        return CloudError(what, told, cure, code=code, codes=codes, status=status, request_id=request_id)
    passes = row.kind in (Kind.PASSING, Kind.PATIENT, Kind.LATER)
    kind = Transient if passes else CloudError
    ours = kind(what, told, row.cure, code=row.code, codes=codes, status=status, request_id=request_id)
    ours.after_role = row.kind is Kind.AFTER_ROLE
    if isinstance(ours, Transient):
        wishes = [wish for wish in (retry_after_seconds(headers), row.wait) if wish is not None]
        ours.retry_after = max(wishes, default=None)
        ours.patient, ours.tries = row.kind is Kind.PATIENT, row.tries
    return ours


def _hiccup(status: int) -> tuple[str, str]:
    if status == 429:
        return "AML352", "Azure limits how much is asked of it: wait some minutes, then apply again"
    return "AML351", "Azure did not manage to answer: see its status page, then apply again"


def _plain(status: int | None) -> tuple[str, str]:
    """What is said of a refusal whose words the table does not know."""
    if status == 404:
        return "AML304", "Check the names in the environment file, and that it still exists"
    return "AML300", "See what Azure says above"


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that an answer wishes us to wait, in whichever form it says so; None when it says nothing of sense."""
    said = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 1000.0), ("x-ms-retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = said.get(name, "")
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
            return float(value) / unit
        if name == "retry-after" and value:
            with suppress(ValueError, TypeError, OverflowError):
                until = parsedate_to_datetime(value)
                until = until if until.tzinfo else until.replace(tzinfo=UTC)
                return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
    return None


def _body(error: Any) -> Any:
    """The JSON of a failed answer, or of the operation that failed after it was accepted."""
    response = getattr(error, "response", None)
    try:
        return json.loads(response.text()) if response is not None else None
    except (ValueError, AttributeError, TypeError):
        return None


def _walk(error: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every code and message, outermost first. Azure nests both in `details`."""
    if not isinstance(error, Mapping):
        return (), ()
    codes: tuple[str, ...] = (str(error.get("code") or ""),)
    messages: tuple[str, ...] = (_plain_words(str(error.get("message") or "")),)
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        more_codes, more_messages = _walk(detail)
        codes, messages = codes + more_codes, messages + more_messages
    return tuple(c for c in codes if c), messages


def _plain_words(message: str) -> str:
    """The sentences inside a message that embeds JSON, as the quota failure does; otherwise the message."""
    start = message.find('{"errors"')
    if start < 0:
        return message.strip()
    try:
        embedded, _ = json.JSONDecoder().raw_decode(message[start:])
        return " ".join(str(text) for texts in embedded["errors"].values() for text in texts)
    except (ValueError, KeyError, TypeError, AttributeError):
        return message.strip()


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:3])
