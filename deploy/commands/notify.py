"""Telling people, each channel once, that a lease ends. Who has been told of what stands in a tag of the endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deploy.cloud import endpoints, orphans
from deploy.cloud.connect import Cloud
from deploy.config import validation
from deploy.documents import Notice
from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.domain.owners import key_in, owner_tag
from deploy.domain.preserved import is_protected
from deploy.errors import DeployError
from deploy.leasing import lineage, notices

Show = Callable[[str], None]
"""Says a line at once."""
Warn = Callable[[notices.Message], None]
"""Tells a run on GitHub, where there is one."""


@dataclass(frozen=True)
class Told:
    """Notices that were given, as JSON tells of them, and in words those that did not arrive."""

    given: tuple[Mapping[str, Json], ...] = ()
    failed: tuple[str, ...] = ()

    def __add__(self, other: Told) -> Told:
        return Told(self.given + other.given, self.failed + other.failed)


def notify(
    cloud: Cloud, file: validation.EnvironmentFile, bodies: lineage.Bodies | None, show: Show, warn: Warn | None
) -> Told:
    """Gives each notice that is due. `bodies`: what is there; None when that is to be looked at anew.

    Never raises for what Azure or a channel refuses: what was said before must not be lost with it.
    """
    found = Told()
    if not file.notices:
        return found
    try:
        there = endpoints.list_endpoints(cloud) if bodies is None else bodies
    except DeployError as error:
        return Told(failed=(str(error),))
    for name, body in there.items():
        tags = body.get("tags") or {}
        lease = leases.of(body) if key_in(file.environment, owner_tag(body)) else None
        if lease is None:
            continue
        told = leases.told(str(tags.get(leases.NOTICED_TAG) or ""))
        late = {each: leases.due(lease, told.get(_named(each)), cloud.now()) for each in file.notices}
        hours = [each for each in late.values() if each is not None]
        if hours:
            word = notices.Message(file.environment.name, name, lease.ends, hours[0], protected=is_protected(body))
            found += _tell(
                cloud, str(body["id"]), word, [each for each in late if late[each] is not None], told, show, warn
            )
    return found


def complain(file: validation.EnvironmentFile, words: Sequence[notices.Message], show: Show, warn: Warn | None) -> Told:
    """Tells every channel what is wrong now. No endpoint keeps a record of it, so each visit tells it until it is
    repaired.
    """
    found = Told()
    for word in words:
        for each in file.notices:
            try:
                notices.send(each.to, each.url_from, word, show, warn)
                found += Told(given=({"to": each.to, **notices.payload("webhook", word)},))
            except (DeployError, OSError) as error:
                found += Told(failed=(str(error),))
    return found


def _tell(
    cloud: Cloud,
    resource: str,
    word: notices.Message,
    channels: Sequence[Notice],
    told: Mapping[str, int],
    show: Show,
    warn: Warn | None,
) -> Told:
    """Noted first, so that no other run says it too; whoever did not hear it is taken off again and hears it later."""
    what = f"note the notice about {word.name}"
    after = {**told, **{_named(each): word.hours for each in channels}}
    given: list[Mapping[str, Json]] = []
    failed: list[str] = []
    try:
        orphans.merge_tags(cloud, resource, {leases.NOTICED_TAG: leases.noted(after)}, what)
        for each in channels:
            try:
                notices.send(each.to, each.url_from, word, show, warn)
                given.append({"to": each.to, **notices.payload("webhook", word)})
            except (DeployError, OSError) as error:
                failed.append(str(error))
                del after[_named(each)]
                after |= {_named(each): told[_named(each)]} if _named(each) in told else {}
        if failed:
            orphans.merge_tags(cloud, resource, {leases.NOTICED_TAG: leases.noted(after)}, what)
    except DeployError as error:
        failed.append(str(error))
    return Told(tuple(given), tuple(failed))


def _named(channel: Notice) -> str:
    """The channel in the tag: its kind, and which variable holds its address."""
    return f"{channel.to}/{channel.url_from}" if channel.url_from else channel.to
