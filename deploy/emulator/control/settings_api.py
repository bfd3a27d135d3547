"""Read and change the emulator's settings (`world.settings`)."""

from __future__ import annotations

from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal, arm_error
from deploy.emulator.world import settings
from deploy.emulator.world.parse import InvalidValue
from deploy.emulator.world.store import World, dump


def change(world: World, values: dict[str, Json]) -> None:
    """Set some settings; null restores a default.

    Raises:
        Refusal: 400 for a name that is not a setting, a value of another type than the default's, or another word
            than the allowed ones.
    """
    for name, value in values.items():
        if name not in settings.DEFAULTS:
            raise arm_error(
                400, "InvalidSetting", f"There is no setting '{name}'. Settings: {', '.join(settings.DEFAULTS)}."
            )
        if value is None:
            world.db.execute("DELETE FROM settings WHERE name = ?", (name,))
            continue
        if _type_name(value) != _type_name(settings.DEFAULTS[name]) or (isinstance(value, int | float) and value < 0):
            raise arm_error(
                400, "InvalidSetting", f"The value of '{name}' must look like {dump(settings.DEFAULTS[name])}."
            )
        stored = _words(name, value) if name in settings.WORDS else value
        if (choices := settings.CHOICES.get(name)) and value not in choices:
            raise arm_error(400, "InvalidSetting", f"The value of '{name}' must be {' or '.join(choices)}.")
        world.db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, dump(stored)))


def _words(name: str, value: dict[str, Json]) -> dict[str, str]:
    """The words of a setting, with the default of each key that is left out. YAML reads on and off as booleans."""
    found = {key: ("off", "on")[word] if isinstance(word, bool) else word for key, word in value.items()}
    for key, word in found.items():
        allowed = settings.WORDS[name].get(key)
        if allowed is None:
            keys = ", ".join(settings.WORDS[name])
            raise arm_error(400, "InvalidSetting", f"'{key}' is not a key of '{name}'. Keys: {keys}.")
        if word not in allowed:
            message = f"'{key}' of '{name}' must be {' or '.join(allowed)}, found {dump(word)}."
            raise arm_error(400, "InvalidSetting", message)
    return {**settings.DEFAULTS[name], **found}


def apply(world: World, requested: dict[str, Json]) -> None:
    """Apply the settings of a world file.

    Raises:
        InvalidValue: a name or a value is wrong.
    """
    for name, value in requested.items():
        try:
            change(world, {name: value})
        except Refusal as refusal:
            raise InvalidValue([(("settings", name), refusal.answer.body["error"]["message"])]) from None


def _type_name(value: Json) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def show(call: Call) -> Answer:
    """GET /emulator/settings: all of them."""
    return Answer(200, {name: settings.get(call.world, name) for name in settings.DEFAULTS})


def put(call: Call) -> Answer:
    """PUT /emulator/settings: set those that are named, and show all."""
    change(call.world, call.object())
    return show(call)
