"""The path of an upload that amldeploy computes is the one that azure-ai-ml uploads to."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deploy.domain.digests import TooMuch
from deploy.domain.ignore_file import Unusable
from deploy.domain.upload_path import upload_path
from tests.contract.test_ignored import IGNORING, PATHS, grow


def uploaded(path: Path) -> str:
    """The digest and the name in azure-ai-ml's path of an upload."""
    from azure.ai.ml._utils._asset_utils import get_ignore_file, get_object_hash

    return f"{get_object_hash(path, get_ignore_file(path))}/{path.name}"


@pytest.mark.filterwarnings("ignore:Possible (nested set|set):FutureWarning")  # from azure-ai-ml's patterns
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(PATHS | st.sampled_from(["A", "B/c"]), st.sampled_from(["", "x", "y\r\n"]), max_size=8),
    st.dictionaries(st.sampled_from([".amlignore", ".gitignore", "a/.gitignore"]), IGNORING, max_size=2),
    st.dictionaries(st.sampled_from(["l", "a/l"]), st.sampled_from(["a", "b", "../b", "a.txt"]), max_size=1),
)
@example({}, {".amlignore": "[[&&]"}, {})
@example({"a/x": "1", "B/y": "2", "a.txt": "3"}, {".amlignore": "*.md"}, {"l": "B"})
@example({"a/x.md": "1", "b.md": "2"}, {".amlignore": "a/*.md"}, {"l": "a"})
def test_the_same_path(files: dict[str, str], ignoring: dict[str, str], links: dict[str, str]) -> None:
    """Over random folders; for an ignore file that azure-ai-ml cannot read there is none."""
    with TemporaryDirectory() as here:
        folder = Path(here).resolve() / "model"
        folder.mkdir()
        grow(folder, {**files, **ignoring})
        for name, target in links.items():
            link = folder / name
            if (link.parent / target).exists() and not link.exists():
                link.symlink_to(target)
        try:
            theirs = uploaded(folder)
        except (ValueError, re.error):
            with pytest.raises(Unusable):
                upload_path(folder)
            return
        except RecursionError:
            with pytest.raises(TooMuch):
                upload_path(folder)
            return
        assert upload_path(folder) == theirs


def test_a_single_file(tmp_path: Path) -> None:
    """Its content and its name."""
    (tmp_path / "weights.bin").write_bytes(b"\0\r\n" * 1_000_000)
    assert upload_path(tmp_path / "weights.bin") == uploaded(tmp_path / "weights.bin")


def test_a_link_to_a_folder_that_it_is_in_ends(tmp_path: Path) -> None:
    """azure-ai-ml cannot upload it, either."""
    (tmp_path / "a").symlink_to(tmp_path)
    with pytest.raises(RecursionError):
        uploaded(tmp_path)
    with pytest.raises(TooMuch, match="a link to a folder that it is in"):
        upload_path(tmp_path)
