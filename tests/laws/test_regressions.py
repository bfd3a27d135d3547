"""A model that answers wrongly is found by the probe of its template, before traffic; a harmless change is not refused.

`--laws full` judges every kind of `benchmarks/wrong_answers` with 40 seeds; otherwise a fixed sample of them with one.
`benchmarks/regressions.py` prints the shares.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.regressions import REGRESSIONS, TARGET, judged, works
from benchmarks.wrong_answers import command_line, harmless
from benchmarks.wrong_answers.kinds import ALL
from tests.project import ROOT

SEEDS = 40
SOME = {
    "medimageparse": {"mirrored_left_right", "shifted_by_8_pixels", "one_mask_missing"},
    "medimageparse3d": {"label_numbers_exchanged"},
    "medimageinsight": {kind.name for kind in REGRESSIONS if "medimageinsight" in kind.templates},
    "cxrreportgen": {kind.name for kind in REGRESSIONS if "cxrreportgen" in kind.templates},
    "gigapath": {"constant_vector", "vector_of_another_input", "sign_flipped", "channels_swapped", "wrong_scale"},
}
"""The kinds of the sample: those that are judged fast, and some of the others."""
HARMLESS = {("cxrreportgen", "jpeg_input"), ("medimageinsight", "float16_noise"), ("gigapath", "jpeg_input")}


def _is_full(request: pytest.FixtureRequest) -> bool:
    return request.config.getoption("--laws") == "full"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("template", ALL)
def test_wrong_answers_are_found(
    request: pytest.FixtureRequest, template: str, record_property: Callable[[str, object], None]
) -> None:
    """With what the template ships. With `--laws full`, an apply whose answers are wrong also ends before traffic."""
    seeds = SEEDS if _is_full(request) else 1
    chosen = [each for each in works(REGRESSIONS, seeds) if each.template == template]
    if not _is_full(request):
        chosen = [each for each in chosen if each.kind.name in SOME[template]]
    rows = [judged(each) for each in chosen]
    missed = {row.kind: row.seeds - row.caught for row in rows if row.caught < row.seeds}
    record_property("judged", sum(row.seeds for row in rows))

    assert sum(missed.values()) <= (1 - TARGET) * sum(row.seeds for row in rows), missed
    if _is_full(request):
        assert command_line.problem_of_apply(chosen[-1].kind, template, 0) == ""


def test_harmless_changes_pass(request: pytest.FixtureRequest) -> None:
    """None fails; also not in comparison with the live deployment."""
    chosen = works(harmless.KINDS, SEEDS if _is_full(request) else 2)
    if not _is_full(request):
        chosen = [each for each in chosen if (each.template, each.kind.name) in HARMLESS]
    failed = {(row.template, row.kind): row.words for row in map(judged, chosen) if row.caught}

    assert chosen
    assert failed == {}


def test_the_code_does_not_know_the_kinds() -> None:
    """No name of a kind is in `deploy/`. Names of a single word, such as `empty`, are words there and do not count."""
    names = {kind.name for kind in REGRESSIONS}
    own = {name for name in names if "_" in name}
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "deploy").rglob("*.py"))

    assert len(names) >= 25
    assert len(own) >= len(names) / 2
    assert [name for name in sorted(own) if name in text] == []
