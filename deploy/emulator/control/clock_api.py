"""Set the world's clock, advance it, change its speed, or stop it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from deploy.emulator.wire.responses import Json, timestamp
from deploy.emulator.world.parse import Strict
from deploy.emulator.world.store import World
from deploy.emulator.world.timing import parse_time

FASTEST = 1_000_000
LONGEST = 3_200_000_000.0
"""About a century, in seconds: more is outside the years that a timestamp can hold."""


def _is_moment(text: str) -> str:
    try:
        found = parse_time(text)
    except ValueError as error:
        raise ValueError(f"expected a time with its time zone, such as 2026-01-31T12:00:00Z ({error})") from None
    if not 0 <= found <= LONGEST:
        raise ValueError("expected a time between 1970 and 2071")
    return text


class ClockChange(Strict):
    """A change of the clock, applied in this order: `set`, `advance` (seconds), `scale` (0 stops it)."""

    set: Annotated[str, AfterValidator(_is_moment)] | None = None
    advance: float | None = Field(None, ge=0, le=LONGEST)
    scale: float | None = Field(None, ge=0, le=FASTEST)

    @model_validator(mode="after")
    def _require_change(self) -> ClockChange:
        if not self.model_fields_set:
            raise ValueError("use at least one of set, advance and scale")
        return self


def change(world: World, requested: ClockChange) -> None:
    """Change the clock; the next transaction applies what is due by then. Must run inside a transaction."""
    real, clock_state = world.clock.now(), world.controls.clock_state
    now = clock_state.at(real) if requested.set is None else parse_time(requested.set)
    scale = clock_state.scale if requested.scale is None else requested.scale
    world.controls.set_clock(clock_state.set_to(real, now + (requested.advance or 0.0), scale))


def status(world: World) -> dict[str, Json]:
    """`now` (ISO 8601), `seconds` since 1970, `scale`, and `ahead`: the offset to real time in seconds."""
    now = world.now()
    ahead = round(now - world.clock.now(), 3)
    return {"now": timestamp(now), "seconds": now, "scale": world.controls.clock_state.scale, "ahead": ahead}
