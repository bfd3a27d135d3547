"""Owner tags: which entry of which environment file manages a resource. Built and parsed only here. Pure.

A resource with another owner's tag is unmanaged, like one without a tag: it is never changed until it is adopted.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.domain.arm import OWNER_TAG, Json
from deploy.domain.spec import EndpointSpec, Environment
from deploy.sanitize import sanitize

_PART = r"[^/\s]+"
_OWNER = re.compile(rf"(?:(?P<project>{_PART})/)?(?P<environment>{_PART})/(?P<key>{_PART})")


@dataclass(frozen=True)
class Owner:
    """One entry: `<project>/<environment>/<key>`; `<environment>/<key>` where no project is set (`cloud: local`)."""

    project: str
    environment: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """The owner that a tag or a mark names; None when it names none."""
        found = _OWNER.fullmatch(text)
        return cls(found["project"] or "", found["environment"], found["key"]) if found else None

    def __str__(self) -> str:
        return "/".join(part for part in (self.project, self.environment, self.key) if part)

    def is_of(self, environment: Environment) -> bool:
        """Whether it is an entry of this environment of this project."""
        return (self.project, self.environment) == (environment.project, environment.name)


def owner_tag(body: Mapping[str, Json] | None) -> str:
    """The owner tag of an ARM body; empty when it has none."""
    return str(((body or {}).get("tags") or {}).get(OWNER_TAG) or "")


def key_in(environment: Environment, text: str) -> str | None:
    """The key that an owner tag or a mark names, if it is of this environment of this project; else None."""
    owner = Owner.parse(text)
    return owner.key if owner and owner.is_of(environment) else None


def former_key(environment: Environment, text: str) -> str | None:
    """The key that an owner tag or a mark names, if it is of this environment and no longer in its file; else None."""
    key = key_in(environment, text)
    return None if key in environment.endpoints else key


def is_unmanaged(owner: str, body: Mapping[str, Json] | None) -> bool:
    """Whether a resource exists without this owner's tag."""
    return bool(body) and owner_tag(body) != owner


def owner_in_words(body: Mapping[str, Json]) -> str:
    """The owner of an unmanaged resource, in words."""
    tag = owner_tag(body)
    return f"is managed by {sanitize(tag)}" if tag else "is not managed by amldeploy"


def entry(spec: EndpointSpec) -> str:
    """An entry as it is typed after `-e`: `prod mip`."""
    own = Owner.parse(spec.owner)
    return f"{own.environment} {own.key}" if own else spec.key


def adopt_command(spec: EndpointSpec, *owners: str) -> str:
    """The command that adopts resources with these owner tags; an empty tag is ignored."""
    return f"amldeploy import --adopt -e {entry(spec)}" + "".join(
        f" --from {shlex.quote(sanitize(tag))}" for tag in owners if tag
    )
