"""Strict validation of the emulator's input, YAML or JSON: every problem with its key path and its line."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.emulator.world.problems import FileProblem, InvalidFile


class Strict(BaseModel):
    """A model that refuses unknown keys and converts no types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


M = TypeVar("M", bound=Strict)
T = TypeVar("T")
KeyPath = tuple[str | int, ...]
"""The keys and indexes of a value in its document."""


def load_and_apply(path: Path, model: type[M], use: Callable[[M], T]) -> T:
    """Validate a YAML file and call `use` with its content; an InvalidValue that `use` raises also gets its line.

    Raises:
        InvalidFile: the file cannot be read, is not YAML, does not match the model, or contains an impossible value.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node, value = _parse(text)
    except OSError as error:
        raise InvalidFile(str(path), [FileProblem(f"{error.strerror}.")]) from None
    except UnicodeDecodeError:
        raise InvalidFile(str(path), [FileProblem("This is not UTF-8 text.")]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = getattr(error, "problem", None) or "This is not YAML"
        raise InvalidFile(str(path), [FileProblem(f"{message}.", *_line_and_column(mark))]) from None
    except (ValueError, RecursionError) as error:
        raise InvalidFile(str(path), [FileProblem(f"{error}.")]) from None
    try:
        return use(validate({} if value is None else value, model))
    except InvalidValue as error:
        raise error.within(str(path), node) from None


def _parse(text: str) -> tuple[yaml.Node | None, Any]:
    """The YAML node (with lines) and the value. Uses the fast loader: a world file can have thousands of lines."""
    try:
        return _parse_with(getattr(yaml, "CSafeLoader", yaml.SafeLoader), text)
    except yaml.YAMLError:
        return _parse_with(yaml.SafeLoader, text)  # slower, with a better position of the mistake


def _parse_with(loader: Any, text: str) -> tuple[yaml.Node | None, Any]:
    reader = loader(text)
    try:
        node = reader.get_single_node()
        return node, None if node is None else reader.construct_document(node)
    finally:
        reader.dispose()


class InvalidValue(ValueError):
    """A value that does not match its model: key path and message of each problem."""

    def __init__(self, problems: Sequence[tuple[KeyPath, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(with_path(key_path, message) for key_path, message in self.problems))

    def within(self, file: str, node: yaml.Node | None) -> InvalidFile:
        """The problems with their lines in the file that the value was read from."""
        return InvalidFile(
            file,
            [
                FileProblem(with_path(key_path, message), *_line_and_column(_find_mark(node, key_path)))
                for key_path, message in self.problems
            ],
        )


def validate(value: Any, model: type[M]) -> M:
    """Validate a value against a model.

    Raises:
        InvalidValue: it does not match.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidValue([(each["loc"], _message(each, model)) for each in error.errors(include_url=False)]) from None


def with_path(key_path: KeyPath, message: str) -> str:
    """A message with its key path: `regions.eastus.endpoints: expected ...`."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in key_path).lstrip(".")
    return f"{path}: {message}" if path else message


def _message(error: Any, model: type[Strict]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ").replace("Input should be ", "expected ")
    if error["type"] == "missing":
        return "is missing."
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(error["loc"][-1]), sorted(_keys(model, error["loc"][:-1])), n=1)
        return f"is not a key here.{f' Did you mean {near[0]}?' if near else ''}"
    if error["type"] == "model_type":
        message = "expected keys and values"
    if error["type"] == "value_error":
        return f"{message}."
    return f"{message}, found {_preview(error['input'])}."


def _keys(model: type[Strict], key_path: KeyPath) -> set[str]:
    """The allowed keys at a key path. Indexes and user-chosen names are skipped."""
    models = {model}
    for step in key_path:
        fields = [field for each in models for name, field in each.model_fields.items() if name == step]
        models = {found for field in fields for found in _models(field.annotation)} or models
    return {name for each in models for name in each.model_fields}


def _models(annotation: Any) -> Iterator[type[Strict]]:
    """Every model in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models(part)


def _preview(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _find_mark(node: yaml.Node | None, key_path: KeyPath) -> Any:
    """The position of the value at `key_path`, or of its nearest existing parent."""
    mark = node and node.start_mark
    for step in key_path:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        else:
            node = None
        if node is None:
            break
        mark = node.start_mark
    return mark


def _line_and_column(mark: Any) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
