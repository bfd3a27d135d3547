"""Notices about a lease that ends: their text, the JSON body for each kind of webhook, and sending one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.domain import leases
from deploy.domain.put_merge import PROTECT_TAG
from deploy.errors import CloudError, Transient
from deploy.no_netrc import no_netrc_auth

_TIMEOUT = 20.0
"""Seconds for one request to a webhook."""


@dataclass(frozen=True)
class Message:
    """One notice about an endpoint of an environment. `ends`: the end of its lease, None when that is not known."""

    environment: str
    name: str
    ends: datetime | None
    hours: int
    """The threshold that was passed, in hours before the end; 0 when the message is about a problem."""
    problem: str = ""
    """What is wrong now and how to fix it; empty when the message is about a lease that ends."""
    headline: str = ""
    """What the problem is in a few words; empty: requests might not reach an endpoint."""
    protected: bool = False
    """Whether the endpoint has the protect tag. `renew` does not replace such an endpoint."""

    @property
    def title(self) -> str:
        if self.problem:
            return f"{self.name} ({self.environment}): {self.headline or 'requests might not reach an endpoint'}"
        return f"{self.name} ({self.environment}): less than {self.hours} h left on shared quota"

    @property
    def text(self) -> str:
        if self.problem:
            return self.problem
        tagged = f"It has the tag {PROTECT_TAG}, so renew does not replace it. Remove the tag first. "
        return (
            f"Azure deletes the endpoint at {leases.local_and_utc(self.ends) if self.ends else 'an unknown time'}. "
            f"{tagged if self.protected else ''}"
            f"Renew it with: amldeploy lease renew -e {self.environment} --within {self.hours}h"
        )


def payload(to: str, message: Message) -> Mapping[str, Any]:
    """The JSON body for this kind of webhook."""
    if to == "slack":
        return {"text": f"*{message.title}*\n{message.text}"}
    if to == "teams":
        lines = [
            {"type": "TextBlock", "text": message.title, "weight": "bolder", "wrap": True},
            {"type": "TextBlock", "text": message.text, "wrap": True},
        ]
        card = {
            "type": "AdaptiveCard",
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "version": "1.4",
            "body": lines,
        }
        return {
            "type": "message",
            "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
        }
    return {
        "environment": message.environment,
        "endpoint": message.name,
        "lease_ends": leases.iso_time(message.ends) if message.ends else "",
        "threshold_hours": message.hours,
        "title": message.title,
        "text": message.text,
    }


def send(
    to: str,
    url_from: str | None,
    message: Message,
    show: Callable[[str], None],
    warn: Callable[[Message], None] | None = None,
) -> None:
    """Send one notice. `show` prints a line on stdout; `warn` adds it to the job on GitHub, None outside of one.

    Raises CloudError or Transient when the webhook did not accept it.
    """
    if to == "github" and warn:
        warn(message)
    elif to in ("stdout", "github"):
        show(f"{message.title}. {message.text}")
    else:
        _post(to, str(url_from), message)


def _post(to: str, url_from: str, message: Message) -> None:
    import requests

    what, cure = f"send a notice about {message.name} to {to}", f"Set the variable {url_from} to the URL of a webhook"
    url = os.environ.get(url_from)
    if not url:
        raise CloudError(what, f"the variable {url_from} is not set", cure, code="AML610")
    try:
        answer = requests.post(url, json=payload(to, message), timeout=_TIMEOUT, auth=no_netrc_auth)
    except requests.RequestException as error:
        raise Transient(what, f"it could not be reached ({type(error).__name__})", cure, code="AML611") from error
    if answer.status_code >= 400:
        raise CloudError(what, f"it answered {answer.status_code}", cure, code="AML610")
