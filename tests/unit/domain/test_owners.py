"""Owners: what a tag says, and what a person is told of a resource that another owner manages."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.arm import OWNER_TAG
from deploy.domain.owners import Owner, adopt_command, is_unmanaged, key_in, owner_in_words
from deploy.domain.spec import Environment
from tests.unit.specs import OWNER, spec

names = st.from_regex(r"[a-z](-?[a-z0-9]){0,12}", fullmatch=True)
owners = st.builds(Owner, st.just("") | names, st.from_regex(r"[A-Za-z0-9][\w.-]{0,12}", fullmatch=True), names)


@given(owners)
def test_an_owner_is_read_as_it_was_written(owner: Owner) -> None:
    assert Owner.parse(str(owner)) == owner


@given(st.text(alphabet="ab-/ \n", max_size=12) | st.text(max_size=12))
def test_whatever_is_read_is_written_as_it_was(text: str) -> None:
    """A tag is whatever anybody wrote: it names an owner in one way, or none."""
    owner = Owner.parse(text)
    assert owner is None or str(owner) == text


@given(owners, owners)
def test_only_the_own_environment_of_the_own_project_counts(one: Owner, other: Owner) -> None:
    environment = Environment(one.environment, "local", "s", "g", "w", (), project=one.project)
    assert key_in(environment, str(one)) == one.key
    same = (one.project, one.environment) == (other.project, other.environment)
    assert (key_in(environment, str(other)) is not None) is same


def test_two_projects_with_the_same_file_and_key_are_two_owners() -> None:
    one, other = Owner("one", "prod", "mip"), Owner("other", "prod", "mip")
    assert str(one) != str(other)
    assert is_unmanaged(str(one), {"tags": {OWNER_TAG: str(other)}})
    assert not is_unmanaged(str(one), None)


def test_the_command_names_the_owner_and_is_safe_to_paste() -> None:
    """The tag is remote text: a shell takes it as one word, whatever it says."""
    assert adopt_command(spec(), "") == "amldeploy import --adopt -e test mip"
    assert adopt_command(spec(), "imaging/prod/mip") == "amldeploy import --adopt -e test mip --from imaging/prod/mip"
    assert shlex.split(adopt_command(spec(), "x; reboot"))[-2:] == ["--from", "x; reboot"]
    assert owner_in_words({"tags": {OWNER_TAG: OWNER}}) == "is managed by test/mip"
