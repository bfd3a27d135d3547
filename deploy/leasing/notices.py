"""Telling people that a lease ends: what is said, in which form for whom, and sending it. Decides nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.domain import leases
from deploy.domain.preserved import PROTECT_TAG
from deploy.errors import CloudError, Transient
from deploy.no_netrc import no_netrc_auth

_TIMEOUT = 20.0


@dataclass(frozen=True)
class Message:
    """One notice: which endpoint of which environment, when its lease ends, and how many hours were left."""

    environment: str
    name: str
    ends: datetime | None
    """None only where there is no lease to speak of, or its end is not known."""
    hours: int
    """The threshold that was passed; 0 when it is not a threshold but a trouble."""
    trouble: str = ""
    """What is wrong now, in words, with what to do; empty for a lease that is about to end."""
    protected: bool = False
    """Whether the endpoint carries the protect tag, so that `renew` leaves it."""

    @property
    def title(self) -> str:
        if self.trouble:
            return f"{self.name} ({self.environment}): requests may reach no endpoint"
        return f"{self.name} ({self.environment}): less than {self.hours} h left on shared quota"

    @property
    def text(self) -> str:
        if self.trouble:
            return self.trouble
        tagged = f"It carries the tag {PROTECT_TAG}, so renew leaves it: take the tag off first. "
        return (
            f"Azure deletes the endpoint at {leases.both(self.ends) if self.ends else 'a time not known'}. "
            f"{tagged if self.protected else ''}"
            f"Renew it with: amldeploy renew -e {self.environment} --within {self.hours}h"
        )


def payload(to: str, word: Message) -> Mapping[str, Any]:
    """The JSON that a webhook of this kind wants."""
    if to == "slack":
        return {"text": f"*{word.title}*\n{word.text}"}
    if to == "teams":
        lines = [
            {"type": "TextBlock", "text": word.title, "weight": "bolder", "wrap": True},
            {"type": "TextBlock", "text": word.text, "wrap": True},
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
        "environment": word.environment,
        "endpoint": word.name,
        "lease_ends": leases.written(word.ends) if word.ends else "",
        "threshold_hours": word.hours,
        "title": word.title,
        "text": word.text,
    }


def send(
    to: str,
    url_from: str | None,
    word: Message,
    show: Callable[[str], None],
    warn: Callable[[Message], None] | None = None,
) -> None:
    """Tell it. `show` writes a line on stdout; `warn` tells a run on GitHub, and None is there when there is no run.
    Raises CloudError when it did not arrive.
    """
    if to == "github" and warn:
        warn(word)
    elif to in ("stdout", "github"):
        show(f"{word.title}. {word.text}")
    else:
        _post(to, str(url_from), word)


def _post(to: str, url_from: str, word: Message) -> None:
    import requests

    what, cure = f"tell {to} about {word.name}", f"See that the variable {url_from} holds the address of a webhook"
    url = os.environ.get(url_from)
    if not url:
        raise CloudError(what, f"the variable {url_from} is not set", cure, code="AML610")
    try:
        answer = requests.post(url, json=payload(to, word), timeout=_TIMEOUT, auth=no_netrc_auth)
    except requests.RequestException as error:
        raise Transient(what, f"it could not be reached ({type(error).__name__})", cure, code="AML611") from error
    if answer.status_code >= 400:
        raise CloudError(what, f"it answered {answer.status_code}", cure, code="AML610")
