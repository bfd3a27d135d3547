"""Parse a prompt of the MedImageParse stand-ins: tone, side, size and category, by word rules.

The rules contain how organs usually look (air is dark, bone is bright), not where they are in an image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DARK, MIDDLE, BRIGHT = 0, 1, 2


@dataclass(frozen=True)
class Selection:
    """Which components a prompt selects: of the first tone that has any, on one side.

    `right` and `down` are directions on the image (-1, 0, 1). `max_count` is the maximum number, None for all.
    """

    category: str
    tones: tuple[int, ...]
    max_count: int | None = 1
    right: int = 0
    down: int = 0
    smallest: bool = False


@dataclass(frozen=True)
class _Rule:
    """Prefixes of the words of a category, and its usual tones."""

    category: str
    begins: tuple[str, ...]
    tones: tuple[int, ...]
    max_count: int | None = 1


_RULES = (
    _Rule("histology structure", ("cell", "nucle", "gland", "patholog", "histolog", "stroma"), (DARK, MIDDLE), None),
    _Rule("tumor", ("tumor", "tumour", "cancer", "neoplas", "carcinom", "gliom", "metasta", "polyp"), (BRIGHT, MIDDLE)),
    _Rule("infection", ("infect", "covid", "pneumonia", "abscess", "tubercul"), (BRIGHT, MIDDLE)),
    _Rule("other lesion", ("lesion", "nodul", "cyst", "plaque", "melanom", "ulcer"), (BRIGHT, MIDDLE)),
    _Rule("fluid disturbance", ("effusion", "edema", "oedema", "fluid", "hemorrhag", "pneumothora"), (MIDDLE, DARK)),
    _Rule("other abnormality", ("fractur", "abnormal", "opacit", "atelecta", "calcif"), (BRIGHT, MIDDLE)),
    _Rule("vessel", ("vessel", "arter", "vein", "aort", "cava", "vascular"), (BRIGHT, MIDDLE)),
    _Rule("lung", ("lung", "pulmon"), (DARK,), 2),
    _Rule("liver", ("liver", "hepat"), (MIDDLE, BRIGHT)),
    _Rule("kidney", ("kidney", "renal"), (MIDDLE, BRIGHT), 2),
    _Rule("pancreas", ("pancrea",), (MIDDLE, BRIGHT)),
    _Rule("heart anatomies", ("heart", "cardia", "myocard", "atri", "ventricl"), (MIDDLE, BRIGHT)),
    _Rule("brain anatomies", ("brain", "cereb", "hippocamp", "cortex", "matter", "thalam"), (MIDDLE, BRIGHT)),
    _Rule("eye anatomies", ("eye", "retin", "optic", "fovea", "macula"), (BRIGHT, MIDDLE)),
    _Rule("other organ", ("bone", "skull", "spine", "rib", "vertebr", "femur"), (BRIGHT, MIDDLE)),
    _Rule("other organ", ("stomach", "bowel", "colon", "trachea", "esophag", "duoden"), (DARK, MIDDLE)),
    _Rule("other organ", ("spleen", "bladder", "gallbladder", "prostate", "uterus", "adrenal"), (MIDDLE, BRIGHT), 1),
)
_DEFAULT_RULE = _Rule("other", (), (MIDDLE, BRIGHT, DARK))


def parse_prompt(prompt: str) -> Selection:
    """The selection of a prompt. A patient's left is on the image's right, as in radiology."""
    words = re.findall(r"[a-z]+", prompt.lower())
    rule = next((rule for rule in _RULES if _any(words, *rule.begins)), _DEFAULT_RULE)
    right = _any(words, "left") - _any(words, "right")
    down = _any(words, "lower", "inferior", "bottom") - _any(words, "upper", "superior", "top")
    one = right or down or _any(words, "largest", "biggest", "smallest")
    return Selection(
        category=rule.category,
        tones=_named_tone(words) or rule.tones,
        max_count=1 if one else rule.max_count,
        right=right,
        down=down,
        smallest=_any(words, "smallest"),
    )


def _named_tone(words: list[str]) -> tuple[int, ...]:
    if _any(words, "dark", "black", "hypo"):
        return (DARK,)
    if _any(words, "bright", "white", "hyper"):
        return (BRIGHT,)
    return ()


def _any(words: list[str], *begins: str) -> bool:
    return any(word.startswith(begins) for word in words)
