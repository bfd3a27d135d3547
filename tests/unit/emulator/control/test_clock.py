"""The world's clock: set, advance, scale, stop; shared by processes, kept across restarts."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.control import clock_api
from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.world import parse
from deploy.emulator.world.timing import PROFILES, ClockState
from tests.unit.emulator.azure import Azure

WEEK = 168 * 3600


def turn(azure: Azure, **wanted: Any) -> Any:
    reply = azure.send("POST", "/emulator/clock", wanted)
    assert reply.status == 200, reply.content
    return reply.json


def shown(azure: Azure) -> Any:
    return azure.send("GET", "/emulator/clock").json


def test_advancing_the_clock_by_168_hours_ends_operations(azure: Azure) -> None:
    """Operations end, later resources have the new time, the Date header agrees; the caller's token stays valid."""
    azure.world.timing = PROFILES["realistic"]
    azure.endpoint()
    before = azure.clock.now()
    assert turn(azure, advance=WEEK)["ahead"] == WEEK
    reply = azure.send("GET", azure_path := "/emulator/clock")
    assert reply.json["seconds"] == before + WEEK, azure_path
    found = azure.send("GET", _endpoint("mip"))
    assert found.json["properties"]["provisioningState"] == "Succeeded"
    assert parsedate_to_datetime(found.headers["date"]).timestamp() == int(before + WEEK)
    refused = azure.endpoint("no")
    assert refused.json["error"]["additionalInfo"][-1]["info"]["value"] == shown(azure)["now"]
    assert refused.headers["x-ms-routing-request-id"].split(":")[1] == shown(azure)["now"][:10].replace("-", "") + (
        "T" + shown(azure)["now"][11:19].replace(":", "") + "Z"
    )
    azure.endpoint("later")
    made = azure.get("later")["systemData"]["createdAt"]
    assert made == shown(azure)["now"]
    assert azure.send("GET", "/emulator/requests").json["value"][-1]["time"] == before + WEEK


def _endpoint(name: str) -> str:
    from tests.unit.emulator.azure import WORKSPACE

    return f"{WORKSPACE}/onlineEndpoints/{name}"


def test_an_aml_token_expires_after_a_day_of_the_world(azure: Azure) -> None:
    """AML tokens expire by the world's clock."""
    azure.endpoint(authMode="AMLToken")
    azure.finish_operations()
    token = azure.send("POST", f"{_endpoint('mip')}/token").json["accessToken"]
    shown_token = {"authorization": f"Bearer {token}"}
    assert azure.send("POST", "/inference/eastus/mip/score", {}, shown_token).status == 404
    turn(azure, advance=86_401)
    assert azure.send("POST", "/inference/eastus/mip/score", {}, shown_token).status == 401


def test_the_clock_is_set_scaled_and_stopped(azure: Azure) -> None:
    """60 world seconds per second, or none."""
    assert turn(azure, set="2030-01-01T00:00:00Z", scale=60)["now"] == "2030-01-01T00:00:00.0000000+00:00"
    azure.clock.advance(2)
    assert shown(azure)["now"] == "2030-01-01T00:02:00.0000000+00:00"
    assert turn(azure, scale=0)["scale"] == 0
    azure.clock.advance(1000)
    assert shown(azure)["now"] == "2030-01-01T00:02:00.0000000+00:00"
    assert turn(azure, set="2026-01-01T01:00:00+01:00", advance=3.5)["now"].startswith("2026-01-01T00:00:03.5")


def test_processes_share_the_clock_and_a_restart_keeps_it(azure: Azure, tokens: Tokens) -> None:
    """A second connection, opened before or after, has the same time."""
    path = Path(azure.world.db.execute("PRAGMA database_list").fetchone()[2])
    open_before = Azure(path.parent, tokens)
    turn(azure, advance=WEEK)
    made_after = Azure(path.parent, tokens)
    for other in (open_before, made_after):
        assert shown(other)["ahead"] == WEEK
        other.world.close()


def test_a_reset_sets_real_time_and_keeps_the_speed(azure: Azure) -> None:
    """A fresh world has the current date."""
    turn(azure, advance=WEEK, scale=60)
    azure.send("POST", "/emulator/reset")
    found = shown(azure)
    assert (found["ahead"], found["scale"]) == (0, 60)


@pytest.mark.parametrize("scale", [0, 1, 60, 1_000_000])
def test_unscaled_time_passes_at_real_speed_and_jumps_with_the_clock(azure: Azure, scale: float) -> None:
    """Whatever the speed; a step back does not change it. Leases of storage use it."""
    turn(azure, scale=scale)
    begun, now = azure.world.unscaled_now(), azure.world.now()
    azure.clock.advance(10)
    assert azure.world.unscaled_now() - begun == 10
    assert azure.world.now() - now == pytest.approx(10 * scale)
    turn(azure, advance=60)
    turn(azure, set="1999-01-01T00:00:00Z")
    assert azure.world.unscaled_now() - begun == 70
    turn(azure, set="1999-01-01T00:01:00Z", scale=1)
    assert azure.world.unscaled_now() - begun == 130


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({}, "use at least one of set, advance and scale"),
        ({"set": "yesterday"}, "set: expected a time with its time zone"),
        ({"set": "2026-01-01T00:00:00"}, "the time zone is missing"),
        ({"set": "1600-01-01T00:00:00Z"}, "between 1970 and 2071"),
        ({"advance": -1}, "advance: expected greater than or equal to 0"),
        ({"scale": 1e99}, "scale: expected less than or equal to 1000000"),
        ({"advnce": 1}, "Did you mean advance?"),
    ],
)
def test_an_invalid_clock_change_is_refused(azure: Azure, wanted: Any, words: str) -> None:
    """The message has the expected value; the clock does not change."""
    reply = azure.send("POST", "/emulator/clock", wanted)
    assert reply.status == 400
    assert words in reply.message
    assert shown(azure)["ahead"] == 0


@given(wall=st.floats(0, 4e9), world=st.floats(0, 4e9), scale=st.floats(0, 1e6), more=st.floats(0, 1e6))
def test_the_clock_never_runs_backwards(wall: float, world: float, scale: float, more: float) -> None:
    """At the real time of its setting it has exactly the set time."""
    dial = ClockState(wall, world, scale)
    assert dial.at(wall) == world
    assert dial.at(wall + more) >= world


@given(value=st.dictionaries(st.sampled_from(["set", "advance", "scale"]), st.text() | st.floats() | st.none()))
def test_any_clock_change_is_valid_or_an_invalid_value(value: Any) -> None:
    """Never another exception."""
    import contextlib

    with contextlib.suppress(parse.InvalidValue):
        assert isinstance(parse.validate(value, clock_api.ClockChange), clock_api.ClockChange)


def test_the_instant_profile_is_done_at_the_next_request(azure: Azure) -> None:
    """The answer has the state Creating, as on Azure; the next GET has Succeeded."""
    azure.world.timing = PROFILES["instant"]
    assert azure.endpoint().json["properties"]["provisioningState"] == "Creating"
    assert azure.get("mip")["properties"]["provisioningState"] == "Succeeded"
