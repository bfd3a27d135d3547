"""What is said of a world when an emulator starts on it: its file, the faults, the speed of its clock.

It is written into the world itself, so that servers which run already, and those that come later, see it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.emulator.control import clock_api
from deploy.emulator.faults import inject
from deploy.emulator.faults.schema import Orders
from deploy.emulator.seed.open_world import opened
from deploy.emulator.seed.schema import WorldFile
from deploy.emulator.world import parse
from deploy.emulator.world.problems import Trouble, WrongFile
from deploy.emulator.world.store import World


def begin(
    path: Path, world: Path | None, orders: Path | Sequence[Mapping[str, Any]] | None, time_scale: float | None
) -> None:
    """Write it into the world at `path`. All of it, or an error and nothing of what was wrong.

    A world file with other content than the one the world began from begins the world anew; with the same, nothing
    is lost. The faults replace those that were ordered before.

    Raises:
        WrongFile: a file, an order or the speed cannot be obeyed.
    """
    held = opened(path)
    try:
        if world is not None:
            parse.obey(world, WorldFile, lambda wanted: _furnish(held, wanted))
        if isinstance(orders, Path):
            parse.obey(orders, Orders, lambda wanted: _order(held, wanted))
        elif orders is not None:
            _fit({"faults": [dict(order) for order in orders]}, Orders, "faults", lambda wanted: _order(held, wanted))
        if time_scale is not None:
            _fit({"scale": float(time_scale)}, clock_api.Turn, "time scale", lambda wanted: _turn(held, wanted))
    finally:
        held.close()


def _fit(value: Any, model: type[parse.M], what: str, use: Any) -> None:
    try:
        use(parse.fit(value, model))
    except parse.Misfit as misfit:
        raise WrongFile(what, [Trouble(parse.said(way, words)) for way, words in misfit.troubles]) from None


def _furnish(world: World, wanted: WorldFile) -> None:
    written = wanted.model_dump(mode="json", exclude_unset=True)
    if written != (world.controls.get("world") or {}):
        world.reset(written)


def _order(world: World, wanted: Orders) -> None:
    with world.transaction():
        inject.remove(world)
        inject.place(world, wanted.faults)


def turn(world: World, wanted: Mapping[str, Any]) -> None:
    """Turn the clock of an open world, whoever serves it. Raises WrongFile."""
    _fit(dict(wanted), clock_api.Turn, "clock", lambda fit: _turn(world, fit))


def _turn(world: World, wanted: clock_api.Turn) -> None:
    with world.transaction():
        clock_api.turn(world, wanted)
