"""The documentation site: Sphinx reads the Markdown pages of this folder. `scripts/docs` builds it."""

from __future__ import annotations

from typing import Any

project = "amldeploy"
extensions = ["myst_parser"]
myst_heading_anchors = 4  # the anchors of headings are those of GitHub
html_theme = "furo"
html_title = "amldeploy"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
NAVIGATION = {
    "First steps": ["index", "own-model", "existing-endpoint", "custom-container", "medical-models"],
    "Files": ["environment-file", "pipeline-file", "template-functions", "secrets"],
    "Operation": ["github-actions", "rollback", "private-networks", "locks", "errors"],
    "Emulator": ["emulator", "conformance"],
    "Python": ["python"],
    "Azure": ["azure-paths"],
    "Details": [
        "commands", "runs", "preflight", "gate", "releases", "invoke", "cases", "leases", "autoscale", "cost",
        "acceptance", "laws", "decisions/*",
    ],
}  # fmt: skip
"""Heading -> its pages, in the order of the navigation."""


def _add_navigation(_: object, page: str, source: list[str]) -> None:
    """The first page lists all others: Sphinx needs a toctree, which GitHub would show as code."""
    if page == "index":
        for heading, pages in NAVIGATION.items():
            lines = ["self" if name == "index" else name for name in pages]
            head = ["", "", "```{toctree}", ":hidden:", ":glob:", ":maxdepth: 1", f":caption: {heading}", ""]
            source[0] += "\n".join([*head, *lines, "```"])


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _add_navigation)
