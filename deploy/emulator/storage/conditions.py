"""ETag and Last-Modified of blobs and containers, and the conditions of requests on them (If-Match and the like).

A write of content, properties or metadata changes both; a lease call changes neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

from deploy.emulator.storage import errors
from deploy.emulator.wire.responses import Answer, Refusal
from deploy.emulator.world.store import World


@dataclass(frozen=True)
class Version:
    """The version of a blob or container. `modified` is the world's time."""

    etag: str
    modified: float

    @property
    def headers(self) -> dict[str, str]:
        """`ETag` and `Last-Modified`."""
        return {"ETag": self.etag, "Last-Modified": formatdate(self.modified, usegmt=True)}


def new_version(world: World) -> Version:
    """The version of something that is written now; its ETag is new in this world."""
    return Version(f'"0x8DE{world.next_number("etag"):012X}"', world.now())


def check(headers: Mapping[str, str], version: Version | None, *, read: bool) -> None:
    """Check the conditions of a request on something with this version (None: it does not exist).

    Raises:
        Refusal: 412 ConditionNotMet; 304 for a read whose content the caller has; 400 for an unreadable date.
    """
    modified = -1 if version is None else int(version.modified)
    since, before = _date(headers, "if-modified-since"), _date(headers, "if-unmodified-since")
    if "if-match" in headers and not _matches(headers["if-match"], version):
        raise errors.refusal("ConditionNotMet")
    if before is not None and modified > before:
        raise errors.refusal("ConditionNotMet")
    same = "if-none-match" in headers and _matches(headers["if-none-match"], version)
    if same or (since is not None and modified <= since):
        if read and version is not None:
            raise Refusal(Answer(304, b"", {"x-ms-error-code": "ConditionNotMet", **version.headers}))
        raise errors.refusal("ConditionNotMet")


def _matches(tags: str, version: Version | None) -> bool:
    """Whether one of the tags of a header names the version; `*` names any that exists."""
    return version is not None and bool({"*", version.etag} & {tag.strip() for tag in tags.split(",")})


def _date(headers: Mapping[str, str], name: str) -> float | None:
    if name not in headers:
        return None
    try:
        return parsedate_to_datetime(headers[name]).timestamp()
    except (ValueError, TypeError, OverflowError):
        raise errors.refusal("InvalidHeaderValue") from None
