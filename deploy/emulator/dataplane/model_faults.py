"""The faults of a model's answer: it comes later (`delay`), or it is another one (`answer`).

A transformation changes a well-formed answer into one that a wrong model could give, and leaves its form as it is. It
works on JSON, on JSON inside strings, and on arrays packed as MedImageParse packs its masks: `{data, shape, dtype}`,
with the numbers in base64.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deploy.emulator.faults.schema import FaultSpec
from deploy.emulator.wire.responses import Answer, Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNCHANGED = "nothing to change"
"""The note of a transformation that found nothing that it can change."""
_EIGHTH = 8


async def changed(work: Callable[[], Awaitable[Answer]], fault: FaultSpec | None) -> tuple[Answer, str]:
    """The answer of `work` with the fault, and a note for the log. `answer` changes only answers with status 200.

    Latency is real time, like that of the models and like the timeout of the deployment.
    """
    started = time.perf_counter()
    answer = await work()
    if fault is None:
        return answer, ""
    if fault.kind == "delay":
        await asyncio.sleep((fault.seconds or 0.0) + (time.perf_counter() - started) * (fault.factor - 1))
    if fault.kind != "answer" or answer.status != 200:
        return answer, ""
    if fault.transform is None:
        return replace(answer, body=fault.body.encode() if isinstance(fault.body, str) else _dump(fault.body)), ""
    body = await asyncio.to_thread(transform, fault.transform, answer.body)
    return (answer, UNCHANGED) if body is None else (replace(answer, body=body), "")


def transform(name: str, body: bytes) -> bytes | None:
    """The body of an answer after the transformation `name`; None if it contains nothing that this one changes."""
    try:
        value = json.loads(body)
        after = _walk(value, *TRANSFORMATIONS[name])
        return None if _dump(after) == _dump(value) else _dump(after)
    except (ValueError, RecursionError):
        return None


def _walk(value: Json, of_values: Callable[[Json], Json], of_array: Callable[[NDArray[Any]], NDArray[Any]]) -> Json:
    """The value with `of_array` applied to each packed array, and `of_values` to each number and each list."""
    match value:
        case {"data": str(), "shape": list(), "dtype": str()}:
            return _packed(value, of_array)
        case dict():
            return {key: _walk(each, of_values, of_array) for key, each in value.items()}
        case list():
            return of_values([_walk(each, of_values, of_array) for each in value])
        case str() if value.lstrip()[:1] in ("{", "["):
            try:
                inner = json.loads(value)
            except ValueError:
                return value
            after = _walk(inner, of_values, of_array)
            return value if after == inner else json.dumps(after)
    return of_values(value)


def _packed(value: Mapping[str, Json], of_array: Callable[[NDArray[Any]], NDArray[Any]]) -> Json:
    """A packed array after a change; as it is if it cannot be read."""
    import numpy as np

    try:
        kind, shape = np.dtype(value["dtype"]), [int(length) for length in value["shape"]]
        data = base64.b64decode(value["data"], validate=True)
        if kind.kind not in "biuf" or not shape or min(shape) < 1 or math.prod(shape) * kind.itemsize != len(data):
            return value
        after = of_array(np.frombuffer(data, kind).reshape(shape)).astype(kind)
    except (ValueError, TypeError):
        return value
    return {**value, "data": base64.b64encode(after.tobytes()).decode("ascii")}


def _shifted(array: NDArray[Any]) -> NDArray[Any]:
    """Moved by an eighth of the last axis, at least one place; zeros move in."""
    import numpy as np

    width = array.shape[-1]
    step = min(width, max(1, width // _EIGHTH))
    after = np.zeros_like(array)
    after[..., step:] = array[..., : width - step]
    return after


def _reversed(value: Json) -> Json:
    """A list of texts or whole numbers in the opposite order."""
    kinds = {type(each) for each in value} if isinstance(value, list) else set()
    return value[::-1] if kinds in ({str}, {int}) else value


def _on_fractions(change: Callable[[Any], Any]) -> tuple[Callable[[Json], Json], Callable[[Any], Any]]:
    """A change of every fraction, in JSON and in arrays; whole numbers, such as classes and masks, stay."""
    return (
        lambda value: change(value) if isinstance(value, float) else value,
        lambda array: change(array) if array.dtype.kind == "f" else array,
    )


def _same(value: Any) -> Any:
    return value


TRANSFORMATIONS: Mapping[str, tuple[Callable[[Json], Json], Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "shift_mask": (_same, _shifted),
    "empty_mask": (_same, lambda array: array * 0),
    "swap_labels": (_reversed, lambda array: array[::-1]),
    "scale_numbers": _on_fractions(lambda number: number * 0.5),
    "nan": _on_fractions(lambda number: number * math.nan),
}
"""By name, the change of a JSON value and that of an array."""


def _dump(value: Json) -> bytes:
    return json.dumps(value).encode()
