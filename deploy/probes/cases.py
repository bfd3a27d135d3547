"""Cases: what is sent for one, what its answers are worth, and which of them fail. Knows nothing of Azure.

A named case is a mapping {name, folder, case}: `case` as `documents.cases.Case` dumps it, `folder` where its paths
start, relative to the template's folder or absolute.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from deploy import probes
from deploy.probes import expected, inputs, nifti, plausibility
from deploy.probes.answers import WrongAnswer, excerpt
from deploy.probes.metrics import METRICS, cosine, expected_kind, floors_of, margin_of
from deploy.probes.samples import InvalidProbe, Unreadable, png_size
from deploy.probes.values import Values

Case = Mapping[str, Any]
Ask = Callable[[bytes], tuple[int, bytes, float]]
"""Sends a request; returns HTTP status, body and seconds."""
_LEAST_DELAY = 0.25
"""Seconds by which an answer must be later than that of the live deployment to count as slower."""
_INPUT = {"png": "image", "nifti": "image", "json": "body"}
"""What a probe type takes -> the key with its file."""


class InvalidCase(Exception):
    """A case cannot be sent or measured. `key` is the key of the case to fix."""

    def __init__(self, key: str, cause: str, cure: str) -> None:
        self.key, self.cause, self.cure = key, cause, cure
        super().__init__(cause)


@dataclass(frozen=True)
class Prepared:
    """A case, ready to be sent: `requests` has one body, or one for each label."""

    probe: Mapping[str, Any]
    folder: Path
    requests: tuple[tuple[str, bytes], ...]
    expected: Values | None
    content: bytes


@dataclass(frozen=True)
class Result:
    """The answers to one case. `low` and `high`: metric -> its smallest and largest value of all repetitions.

    `problem`: why an answer is wrong whatever is expected; empty if none is. `answer` is the worst one.
    """

    name: str
    low: Mapping[str, float] = field(default_factory=dict)
    high: Mapping[str, float] = field(default_factory=dict)
    seconds: tuple[float, float] = (0.0, 0.0)
    problem: str = ""
    answer: Values | None = None
    expected: Values | None = None
    sent: str = ""
    body: bytes = b""
    image: bytes = b""


@contextmanager
def prepared(named: Case, probe: Mapping[str, Any], folder: Path) -> Iterator[Prepared]:
    """Convert the input of a case into a folder of its own, and read its expected answer. Raises InvalidCase.

    `folder`: of the template.
    """
    case, kind = named["case"], probes.find(str(probe["type"]))
    with tempfile.TemporaryDirectory(prefix="amldeploy-case-") as made:
        own, content = _with_files(named, probe, folder, Path(made))
        labels = (case.get("expect") or {}).get("labels") or ()
        asked = [(label, {**own, "text": label}) for label in labels] or [("", own)]
        try:
            requests = tuple((label, kind.request(each, Path(made))) for label, each in asked)
        except InvalidProbe as invalid:
            key = _INPUT[kind.TAKES]
            cause = invalid.cause.replace(str(own.get(key)), str(case.get(key) or probe.get(key)))
            raise InvalidCase(invalid.field, cause, invalid.cure) from None
        prompts = [prompt.strip() for prompt in str(own.get("text") or "").split("&")]
        shape = _shape(kind.TAKES, content)
        want = _tried("expect", lambda: expected.read(case, _finder(named, folder), prompts, shape))
        yield Prepared(own, Path(made), requests, want, content)


def _with_files(named: Case, probe: Mapping[str, Any], folder: Path, made: Path) -> tuple[dict[str, Any], bytes]:
    """The probe with the input of the case, whose files are in `made`; the content of the input."""
    case, takes = named["case"], probes.find(str(probe["type"])).TAKES
    own = {**probe, **{key: case[key] for key in ("text", "image", "body") if case.get(key) is not None}}
    key, content = _INPUT[takes], b""
    if name := own.get(key):
        find = _finder(named, folder) if case.get(key) else _template_file(folder)
        content = _tried(key, lambda: inputs.convert(find(str(name)), takes))
        own[key] = "input" + inputs.EXTENSION[takes]
        (made / str(own[key])).write_bytes(content)
    if isinstance(form := own.get("answer"), str):  # a JSON Schema, beside the template
        own["answer"] = "answer.json"
        (made / "answer.json").write_bytes(_tried(key, lambda: inputs.content(_template_file(folder)(form))))
    return own, content


def _tried(key: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Unreadable as unfit:
        raise InvalidCase(key, unfit.cause, unfit.cure) from None


def _shape(takes: str, content: bytes) -> tuple[int, ...]:
    if takes == "png" and content:
        return png_size(content, "input")
    return nifti.header(content).shape if takes == "nifti" and content else ()


def _finder(named: Case, folder: Path) -> Callable[[str], Path]:
    """The path of a file that a case names: in the folder of the cases, or in that of the template."""
    start = folder / str(named["folder"])

    def find(name: str) -> Path:
        path = (start / name).resolve()
        if not any(path.is_relative_to(each.resolve()) for each in (start, folder)):
            raise Unreadable(f"'{name}' is outside the folders of the cases and of the template", "Copy the file there")
        if not path.is_file():
            raise Unreadable(
                f"there is no file '{name}'", "Check the path, which starts at the folder of the case file"
            )
        return path

    return find


def _template_file(folder: Path) -> Callable[[str], Path]:
    return _finder({"folder": "."}, folder)


def run(named: Case, ready: Prepared, ask: Ask) -> Result:
    """Ask a case `repeat` times. An answer that cannot be measured ends it."""
    case, found = named["case"], []
    sent = hashlib.sha256(ready.content).hexdigest()
    floors, times = floors_of(case), []
    body = b""
    for _ in range(int(case["repeat"])):
        try:
            answers = []
            for label, request in ready.requests:
                status, body, seconds = ask(request)
                times.append(seconds)
                answers.append((label, _read(ready, label, status, body)))
            values = _chosen(answers)
            plausibility.check(values, None if ready.expected else case["plausible"])
        except WrongAnswer as wrong:
            return Result(
                case_name(named),
                seconds=_range(times),
                problem=wrong.reason,
                expected=ready.expected,
                sent=sent,
                body=body,
            )
        want = ready.expected or Values()
        found.append((values, {name: METRICS[name].measure(values, want, case) for name in floors}, body))
    problem, most = "", case.get("max_seconds")
    if most is not None and max(times) > float(most):
        problem = f"expected an answer within {float(most):g} s (max_seconds), it took {max(times):.2f} s"
    worst = min(found, key=lambda each: min((each[1][name] - floors[name] for name in floors), default=0.0))
    low, high = ({name: pick(each[1][name] for each in found) for name in floors} for pick in (min, max))
    image = ready.content if probes.find(str(ready.probe["type"])).TAKES != "json" else b""
    return Result(case_name(named), low, high, _range(times), problem, worst[0], ready.expected, sent, worst[2], image)


def case_name(named: Case) -> str:
    return str(named["name"])


def _read(ready: Prepared, label: str, status: int, body: bytes) -> Values:
    probe = {**ready.probe, "text": label} if label else ready.probe
    return probes.find(str(probe["type"])).values(probe, ready.folder, status, body)


def _chosen(answers: Sequence[tuple[str, Values]]) -> Values:
    """The answer; with several labels, the one whose text vector is nearest to the vector of its image."""
    if len(answers) == 1 and not answers[0][0]:
        return answers[0][1]
    nearness = {label: cosine(values.vectors["image"], values.vectors.get("text", ())) for label, values in answers}
    return Values(vectors=answers[0][1].vectors, content=max(nearness, key=lambda label: nearness[label]))


def _range(times: Sequence[float]) -> tuple[float, float]:
    return (min(times), max(times)) if times else (0.0, 0.0)


@dataclass(frozen=True)
class Failure:
    """Why a case fails: `gap` is how far below its limit, for the order; `waiver` the reason why that is accepted.

    `is_relative`: only worse than the live deployment.
    """

    name: str
    gap: float
    words: str
    is_relative: bool = False
    waiver: str = ""


def failures(
    named: Sequence[Case], results: Sequence[Result], live: Mapping[str, Result], today: date
) -> list[Failure]:
    """All failures, the worst first: answers that are wrong, then the values by their distance to the limit.

    `live`: name -> what the live deployment answered.
    """
    by_name, found = {case_name(each): each["case"] for each in named}, []
    for result in results:
        found += [
            Failure(result.name, *each) for each in _failures(by_name[result.name], result, live.get(result.name))
        ]
    equal = [(each.name, each.sent, each.answer) for each in results if each.answer and not each.expected]
    for one, other in plausibility.distinct(equal):
        found.append(Failure(other, 1.0, f"expected another answer than that of {one}, which has another input"))
    found += slower(named, results, live)
    kept = [replace(each, waiver=_waiver(by_name[each.name], today)) for each in found]
    return sorted(kept, key=lambda each: (bool(each.waiver), -each.gap, each.name))


def slower(named: Sequence[Case], results: Sequence[Result], live: Mapping[str, Result]) -> list[Failure]:
    """One failure, if every answer is too late compared with the live deployment: a single late one can be chance."""
    limits = {case_name(each): float(each["case"]["max_slowdown"]) for each in named}
    times = [(limits[each.name], each, live[each.name].seconds[1]) for each in results if each.name in live]
    if not times or any(new.seconds[0] <= max(old * most, old + _LEAST_DELAY) for most, new, old in times):
        return []
    most, new, old = max(times, key=lambda each: each[1].seconds[0] / max(each[2], 1e-3))
    words = f"expected an answer within {old * most:.2f} s ({most:g} times that of the live deployment, max_slowdown), "
    words += f"it took {new.seconds[0]:.2f} s; {'all cases are' if len(times) > 1 else 'it is'} slower"
    return [Failure(new.name, new.seconds[0] / max(old, 1e-3) - most, words, is_relative=True)]


def with_times(results: Sequence[Result], again: Sequence[Result]) -> list[Result]:
    """The results with the shortest and the longest time of both."""
    pairs = zip(results, again, strict=True)
    return [replace(one, seconds=_range((*one.seconds, *other.seconds))) for one, other in pairs]


def _failures(case: Mapping[str, Any], result: Result, live: Result | None) -> Iterator[tuple[float, str, bool]]:
    """(gap, words, whether it is only worse than the live deployment) of each failure."""
    if result.problem:
        yield 2.0, result.problem, False
    for name, floor in floors_of(case).items():
        value = result.low.get(name)
        if value is None:
            continue
        words = _compared(case, result, name)
        margin = margin_of(name, case)
        least = live.low[name] - margin if live and name in live.low else value
        if value < floor:
            yield floor - value, f"expected {name} of {floor:.3g} or more, got {value:.3f}{words}", False
        elif value < least:
            limit = f"{least:.3f} or more ({margin:.3g} below the live deployment)"
            yield least - value, f"expected {name} of {limit}, got {value:.3f}{words}", True


def _compared(case: Mapping[str, Any], result: Result, metric: str) -> str:
    """Expected and answered in words, for short answers."""
    want, got = result.expected, result.answer
    if expected_kind(case) in ("label", "text") and want and got:
        return f": expected {excerpt(want.text, 60)}, answered {excerpt(got.text, 60)}"
    if metric in ("box_f1", "sentence_f1") and want and got:
        numbers = [(len(each.findings), sum(len(finding.boxes) for finding in each.findings)) for each in (want, got)]
        return ": expected {} sentences with {} boxes, answered {} with {}".format(*numbers[0], *numbers[1])
    if metric in ("dice", "iou") and want and got:
        areas = [", ".join(f"{region.prompt} {region.area:.2%}" for region in each.regions) for each in (want, got)]
        return f": expected {areas[0]}, answered {areas[1]}"
    return ""


def _waiver(case: Mapping[str, Any], today: date) -> str:
    accept = case.get("accept")
    if not accept or today > date.fromisoformat(str(accept["until"])):
        return ""
    return f"accepted until {accept['until']}: {accept['reason']}"


def as_json(result: Result, live: Result | None, failed: Sequence[Failure]) -> dict[str, Any]:
    """A result for the report: no answer, no input."""
    own = [each for each in failed if each.name == result.name]
    rows = {
        name: {"value": round(value, 4), "highest": round(result.high[name], 4)}
        | ({"live": round(live.low[name], 4)} if live and name in live.low else {})
        for name, value in result.low.items()
    }
    return {
        "name": result.name,
        "ok": not any(not each.waiver for each in own),
        "metrics": rows,
        "seconds": [round(each, 3) for each in result.seconds],
        **({"live_seconds": [round(each, 3) for each in live.seconds]} if live else {}),
        "failures": [each.words for each in own],
        "accepted": next((each.waiver for each in own if each.waiver), None),
    }
