"""Apply the options of a world: its world file, the faults, the speed of its clock.

They are written into the world, so that they also apply to running servers and to later ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from deploy.emulator.control import clock_api
from deploy.emulator.faults import inject
from deploy.emulator.faults.schema import FaultFile
from deploy.emulator.seed.open_world import open_world
from deploy.emulator.seed.schema import WorldFile
from deploy.emulator.world import parse
from deploy.emulator.world.problems import FileProblem, InvalidFile
from deploy.emulator.world.store import World


def begin(
    path: Path, world: Path | None, faults: Path | Sequence[Mapping[str, Any]] | None, time_scale: float | None
) -> None:
    """Write the options into the world at `path`.

    A world file that differs from the one in use resets the world; with the same content nothing changes. The faults
    replace all earlier ones.

    Raises:
        InvalidFile: a file, a fault or the speed is invalid.
    """
    opened = open_world(path)
    try:
        if world is not None:
            parse.load_and_apply(world, WorldFile, partial(_replace_world, opened))
        if isinstance(faults, Path):
            parse.load_and_apply(faults, FaultFile, partial(_replace_faults, opened))
        elif faults is not None:
            content = {"faults": [dict(fault) for fault in faults]}
            _validate_and_apply(content, FaultFile, "faults", partial(_replace_faults, opened))
        if time_scale is not None:
            change_clock(opened, {"scale": float(time_scale)}, "time scale")
    finally:
        opened.close()


def _validate_and_apply(value: Any, model: type[parse.M], what: str, use: Any) -> None:
    try:
        use(parse.validate(value, model))
    except parse.InvalidValue as error:
        raise InvalidFile(
            what, [FileProblem(parse.with_path(key_path, message)) for key_path, message in error.problems]
        ) from None


def _replace_world(world: World, requested: WorldFile) -> None:
    written = requested.model_dump(mode="json", exclude_unset=True, by_alias=True)
    if written != (world.controls.get("world") or {}):
        world.reset(written)


def _replace_faults(world: World, requested: FaultFile) -> None:
    with world.transaction():
        inject.remove(world)
        inject.register(world, requested.faults)


def change_clock(world: World, requested: Mapping[str, Any], what: str = "clock") -> None:
    """Change the clock of an open world. Raises InvalidFile, which names `what`."""
    _validate_and_apply(dict(requested), clock_api.ClockChange, what, partial(_change_clock, world))


def _change_clock(world: World, requested: clock_api.ClockChange) -> None:
    with world.transaction():
        clock_api.change(world, requested)
