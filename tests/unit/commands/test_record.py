"""`probe --record` changes the keys of a case file that it must change, and no other line."""

from __future__ import annotations

from pathlib import Path

from deploy.commands.record import with_blocks

BLOCKS = {"expect": {"masks": "new.png"}, "recorded": {"release": "r2", "date": "2026-11-30"}}
END = "expect:\n  masks: new.png\nrecorded:\n  release: r2\n  date: '2026-11-30'\n"


def edited(folder: Path, text: str) -> str | None:
    (folder / "a.yml").write_text(text)
    return with_blocks(folder / "a.yml", BLOCKS)


def test_other_keys_and_comments_stay(tmp_path: Path) -> None:
    """The old blocks go, with comments inside them; comments before the next key stay."""
    text = "# A case.\nexpect:\n  masks: old.png  # a person drew it\n\n# The input.\nimage: a.png # here\nrepeat: 2\n"
    assert edited(tmp_path, text) == "# A case.\n\n# The input.\nimage: a.png # here\nrepeat: 2\n" + END
    assert edited(tmp_path, "image: a.png\n" + END) == "image: a.png\n" + END
    assert edited(tmp_path, "") == END


def test_floors_of_another_kind_go(tmp_path: Path) -> None:
    """Floors of masks stay with masks; those of another kind of answer would be a problem of the file."""
    assert "dice" in (edited(tmp_path, "expect: {masks: a.png}\nfloors: {dice: 0.5}\n") or "")
    assert "json" not in (edited(tmp_path, "expect: {answer: {}}\nfloors: {json: 0.5}\n") or "")


def test_a_file_in_flow_style_is_not_written(tmp_path: Path) -> None:
    """Its keys share a line."""
    assert edited(tmp_path, "{image: a.png, expect: {masks: b.png}}\n") is None
