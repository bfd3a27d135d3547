"""Orphans: endpoints with the owner tag of an entry that the environment file no longer has. Pure.

An entry that exists keeps all its endpoints, also successors and predecessors of a lease. An endpoint that has the name
of another entry is no orphan either: that entry can adopt it. `--prune` deletes orphans with the steps of a teardown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deploy.domain.arm import Address, Facts, Json, address
from deploy.domain.owners import former_key, owner_tag
from deploy.domain.plan import Step, Verb
from deploy.domain.put_merge import PROTECT_TAG, is_protected
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import Finding
from deploy.leasing import lineage
from deploy.text import count

_NAMED = 6
"""Orphans that a note names; the rest are counted."""


@dataclass(frozen=True)
class Orphan:
    """One endpoint. `entry`: the key that is no longer in the file; `owner`: its tag; `address`: of its endpoint step.

    `has_protect_tag`: it is never deleted. `adopt_as`: the entry in whose chain of successors it is; such an endpoint
    is adopted, not deleted. `is_gone`: it was deleted, and role assignments with its description remain.
    """

    environment: str
    name: str
    entry: str
    owner: str
    address: Address
    has_protect_tag: bool = False
    adopt_as: str = ""
    is_gone: bool = False

    @property
    def can_be_deleted(self) -> bool:
        return not self.has_protect_tag and not self.adopt_as

    @property
    def why_kept(self) -> str:
        """Why `--prune` does not delete it; empty if it does."""
        if self.adopt_as:
            return f"it has a name of entry {self.adopt_as}"
        return f"it has the tag {PROTECT_TAG}" if self.has_protect_tag else ""

    @property
    def command(self) -> str:
        """The command that deletes or adopts it; empty if it has the protect tag."""
        if self.adopt_as:
            return f"amldeploy import --adopt -e {self.environment} {self.adopt_as}"
        return "" if self.has_protect_tag else prune_command(self.environment)

    @property
    def text(self) -> str:
        """What it is and what to do, in one sentence."""
        cause = f"orphan: environments/{self.environment}.yml no longer has its entry"
        if self.adopt_as:
            return f"{cause}, and {self.why_kept}; adopt it with: {self.command}"
        if self.has_protect_tag:
            return f"{cause}; --prune does not delete it, because {self.why_kept}"
        return f"{cause}; delete it with: {self.command}"


@dataclass(frozen=True)
class Orphans:
    """All orphans of an environment. `facts`: key of the address -> facts of those to delete, with --prune."""

    every: Sequence[Orphan] = ()
    facts: Mapping[str, Facts] = field(default_factory=dict)

    @property
    def specs(self) -> list[EndpointSpec]:
        """The orphans to delete, as specs without files."""
        return [spec_of(each) for each in self.every if each.address.endpoint in self.facts]

    def notes(self) -> list[str]:
        """Sentences about the orphans that stay."""
        return notes([each for each in self.every if each.address.endpoint not in self.facts])

    def as_json(self) -> tuple[Mapping[str, Json], ...]:
        """See Plan.orphans."""
        return tuple(as_json(each, pruned=each.address.endpoint in self.facts) for each in self.every)


def find(
    environment: Environment,
    specs: Sequence[EndpointSpec],
    bodies: lineage.Bodies,
    gone: Mapping[str, Collection[str]] | None = None,
) -> list[Orphan]:
    """The orphans of an environment, sorted by name. `gone`: owner -> deleted endpoints that still have role
    assignments.
    """
    every = list({each.key: each for spec in specs for each in (spec, *spec.siblings)}.values())
    named = {each.first_name for each in every}
    found = []
    for name, body in bodies.items():
        if (key := former_key(environment, owner_tag(body))) and name not in named:
            heir = next((each.key for each in every if lineage.is_in_chain(each, name, body)), "")
            orphan = _orphan(environment, name, key, owner_tag(body))
            found.append(replace(orphan, has_protect_tag=is_protected(body), adopt_as=heir))
    for owner, names in (gone or {}).items():
        if key := former_key(environment, owner):
            found += [replace(_orphan(environment, name, key, owner), is_gone=True) for name in names]
    return sorted(found, key=lambda each: each.name)


def _orphan(environment: Environment, name: str, key: str, owner: str) -> Orphan:
    """Addresses contain the name, because an entry can have several endpoints, but never the key of another entry."""
    unique = f"{name}.orphan" if name in environment.endpoints else name
    return Orphan(environment.name, name, key, owner, address("endpoint", unique))


def spec_of(orphan: Orphan) -> EndpointSpec:
    """The spec of an orphan: its files are unknown, so that only its deletion can be planned."""
    return EndpointSpec(orphan.address.endpoint, orphan.owner, "", {"name": orphan.name}, (), {})


def as_json(orphan: Orphan, *, pruned: bool = False) -> dict[str, Json]:
    """{name, entry, address, command, why_kept, pruned}; `pruned`: whether the plan deletes it."""
    return {
        "name": orphan.name,
        "entry": orphan.entry,
        "address": str(orphan.address),
        "command": orphan.command,
        "why_kept": orphan.why_kept,
        "pruned": pruned,
    }


def prune_command(environment: str) -> str:
    return f"amldeploy apply -e {environment} --prune"


def notes(orphans: Sequence[Orphan]) -> list[str]:
    """A sentence for all orphans that --prune deletes, and one for each other."""
    found = []
    if some := [each for each in orphans if each.can_be_deleted]:
        file, them = f"environments/{some[0].environment}.yml", "it" if len(some) == 1 else "them"
        text = f"{count(len(some), 'orphan')} without an entry in {file}: {in_words(some)}"
        found.append(f"{text}. Delete {them} with: {some[0].command}")
    return found + [f"{in_words([each])} is an {each.text}." for each in orphans if not each.can_be_deleted]


def in_words(orphans: Sequence[Orphan]) -> str:
    """`liver-ab (entry liver), spine-cd (entry spine)`."""
    words = [f"{each.name} (entry {each.entry})" for each in orphans[:_NAMED]]
    return ", ".join(words) + (f" and {len(orphans) - _NAMED} more" if len(orphans) > _NAMED else "")


def explained_steps(orphans: Orphans, steps: Sequence[Step]) -> Iterator[Step]:
    """The steps of a teardown of orphans: with the reason, and with the owner for which a role may be removed."""
    owners = {each.address.endpoint: each.owner for each in orphans.every}
    for step in steps:
        if step.kind == "endpoint":
            yield replace(step, why=f"no entry names it: {step.why}")
        elif step.kind == "role" and step.verb is Verb.DELETE:
            yield replace(step, body={**step.body, "owner": owners[step.endpoint]})
        else:
            yield step


def explained_findings(orphans: Orphans, findings: Sequence[Finding]) -> list[Finding]:
    """The findings against a teardown of orphans: with their names, and with cures for entries that do not exist."""
    deleted = [each for each in orphans.every if each.address.endpoint in orphans.facts]
    return [_explained(finding, deleted) for finding in findings]


def _explained(finding: Finding, deleted: Sequence[Orphan]) -> Finding:
    if finding.code == "AML241":
        cause = f"{finding.cause}, and --prune would delete {in_words(deleted)}"
        return replace(finding, cause=cause, cure=f"{finding.cure}, or omit --prune")
    if finding.code == "AML230":
        return replace(finding, cure="Delete it yourself first, or omit --prune")
    return finding
