"""Sending the notices that are due, each to every channel once. A tag of the endpoint records which were sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deploy.cloud import autoscale_and_tags, endpoints
from deploy.cloud.connect import Cloud
from deploy.config import validation
from deploy.documents.environment import Notice
from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.domain.owners import key_in, owner_tag
from deploy.domain.put_merge import is_protected
from deploy.errors import DeployError
from deploy.leasing import lineage, notices
from deploy.leasing.notices import Message

Show = Callable[[str], None]
"""Prints a line at once."""
Warn = Callable[[Message], None]
"""Adds a notice to the job on GitHub; None outside of a job."""


@dataclass(frozen=True)
class Sent:
    """The notices that were sent, as JSON, and an error message for each that was not."""

    sent: tuple[Mapping[str, Json], ...] = ()
    failed: tuple[str, ...] = ()

    def __add__(self, other: Sent) -> Sent:
        return Sent(self.sent + other.sent, self.failed + other.failed)


def notify(
    cloud: Cloud, file: validation.EnvironmentFile, bodies: lineage.Bodies | None, show: Show, warn: Warn | None
) -> Sent:
    """Send each notice that is due. `bodies`: the endpoints; None to read them now.

    Never raises for an error of Azure or of a channel, so that the caller's result is not lost.
    """
    result = Sent()
    if not file.notices:
        return result
    try:
        existing = endpoints.list_endpoints(cloud) if bodies is None else bodies
    except DeployError as error:
        return Sent(failed=(str(error),))
    for name, body in existing.items():
        lease = leases.of(body) if key_in(file.environment, owner_tag(body)) else None
        if lease is None:
            continue
        before = leases.noticed(str((body.get("tags") or {}).get(leases.NOTICED_TAG) or ""))
        hours = {each: leases.due(lease, before.get(_channel(each)), cloud.now()) for each in file.notices}
        due = [each for each in file.notices if hours[each] is not None]
        if due:
            threshold = int(hours[due[0]] or 0)
            message = Message(file.environment.name, name, lease.ends, threshold, protected=is_protected(body))
            result += _send_and_record(cloud, str(body["id"]), message, due, before, show, warn)
    return result


def report_problems(
    file: validation.EnvironmentFile, messages: Sequence[Message], show: Show, warn: Warn | None
) -> Sent:
    """Send each problem to every channel. Not recorded, so each run sends it until the problem is fixed."""
    result = Sent()
    for message in messages:
        for channel in file.notices:
            result += _send(channel, message, show, warn)
    return result


def _send(channel: Notice, message: Message, show: Show, warn: Warn | None) -> Sent:
    try:
        notices.send(channel.to, channel.url_from, message, show, warn)
    except (DeployError, OSError) as error:
        return Sent(failed=(str(error),))
    return Sent(sent=({"to": channel.to, **notices.payload("webhook", message)},))


def _send_and_record(
    cloud: Cloud,
    resource: str,
    message: Message,
    channels: Sequence[Notice],
    before: Mapping[str, int],
    show: Show,
    warn: Warn | None,
) -> Sent:
    """Record the notice, then send it, so that no parallel run sends it again. A channel that fails is removed from the
    record, so that the next run tries again.
    """
    what = f"record the notice about {message.name}"
    record = {**before, **{_channel(each): message.hours for each in channels}}
    result = Sent()
    try:
        autoscale_and_tags.merge_tags(cloud, resource, {leases.NOTICED_TAG: leases.noted(record)}, what)
        for channel in channels:
            result += (sent := _send(channel, message, show, warn))
            if sent.failed:
                name = _channel(channel)
                del record[name]
                record |= {name: before[name]} if name in before else {}
        if result.failed:
            autoscale_and_tags.merge_tags(cloud, resource, {leases.NOTICED_TAG: leases.noted(record)}, what)
    except DeployError as error:
        result += Sent(failed=(str(error),))
    return result


def _channel(channel: Notice) -> str:
    """The channel's name in the tag: its kind and the variable with its URL."""
    return f"{channel.to}/{channel.url_from}" if channel.url_from else channel.to
