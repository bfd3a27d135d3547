"""The message for an undefined value of a template. The class raises like jinja2's StrictUndefined."""

from __future__ import annotations

from jinja2 import StrictUndefined
from jinja2.utils import missing

from deploy.config.rendering.value_locations import PlacedDict
from deploy.documents.locations import did_you_mean

GLOBALS = ("endpoint", "environment", "unique", "values")


class UndefinedValue(StrictUndefined):
    """An undefined value. Its message is a cause and a cure, one per line."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return self.words()

    def words(self) -> str:
        name = str(self._undefined_name)
        if self._undefined_hint:
            return f"{self._undefined_hint}\n"
        if self._undefined_obj is missing:
            return f"{name} is not defined.\n{did_you_mean(name, GLOBALS)}"
        if not isinstance(self._undefined_obj, PlacedDict):
            return f"{type(self._undefined_obj).__name__} has no {name!r}.\n"
        dotted_path = self._undefined_obj.dotted_path
        path = f"{dotted_path}.{name}"
        near = did_you_mean(name, self._undefined_obj, "-").removeprefix("Did you mean ")
        otherwise = f"Set it in the environment, or use {{{{ {path} | default(...) }}}}."
        return f"{path} is not defined.\n{otherwise if near == '-' else f'Did you mean {dotted_path}.{near}'}"
