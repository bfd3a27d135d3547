"""What azure-ai-ml refuses without a request is shown whole, one part for each field, and without its advice."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from hypothesis import given
from hypothesis import strategies as st

from deploy.cloud import client_refusals, sdk_entities
from deploy.cloud.error_translation import translate, translated_errors
from deploy.errors import CloudError, Unanswered

ENDPOINT = {"name": "mip", "auth_mode": "password", "colour": "red"}
DEPLOYMENT = {
    "name": "blue", "endpoint_name": "mip", "instance_type": "x", "instance_count": "many",
    "model": {"path": "nowhere"}, "liveness_probe": {"period": "soon"}, "colour": "red",
}  # fmt: skip
ADVICE = (
    "In order to specify",
    ".;",
    "Visit this link",
    "aka.ms",
    "IntelliSense",
    "Resolutions",
    "--debug",
    "\n",
    "\x1b",
)


def load_endpoint() -> None:
    sdk_entities.load_endpoint(ENDPOINT)


def load_deployment() -> None:
    sdk_entities.load_deployment(DEPLOYMENT, Path("/nowhere"), lambda _: {})


def sections() -> None:
    """The form that azure-ai-ml's operations raise."""
    from azure.ai.ml import load_model
    from azure.ai.ml._exception_helper import log_and_raise_error

    try:
        load_model(io.StringIO("name: med\nversion: 1\ncolour: red\npath: azureml:x\ndescription: [1]\n"))
    except Exception as error:  # noqa: BLE001 as the operations do
        log_and_raise_error(error, yaml_operation=True)


def result() -> None:
    """The form of azure-ai-ml's validation results, in the words of its wrapper."""
    from azure.ai.ml.exceptions import ValidationException

    errors = [{"message": "Not a valid string.", "path": "model", "value": 3}, {"message": "No compute.", "path": "*"}]
    told = "Met error <class 'Exception'>:" + json.dumps({"result": "Failed", "errors": errors}, indent=2)
    raise ValidationException(message=told, no_personal_data_message="")


CASES: tuple[tuple[Callable[[], None], tuple[str, ...]], ...] = (
    (load_endpoint, ("auth_mode: Value 'password' passed is not in set", "colour: Unknown field")),
    (
        load_deployment,
        (
            "instance_count: Not a valid integer", "liveness_probe.period: Not a valid integer",
            "colour: Unknown field", "No such file or directory: '/nowhere/nowhere'",
        ),
    ),
    (sections, ("colour: Unknown field", "description: Not a valid string")),
    (result, ("model: Not a valid string; No compute",)),
)  # fmt: skip


@pytest.mark.parametrize(("refuse", "parts"), CASES, ids=lambda each: getattr(each, "__name__", ""))
def test_each_refused_field_is_named(refuse: Callable[[], None], parts: tuple[str, ...]) -> None:
    """With every form of azure-ai-ml's messages."""
    with pytest.raises(CloudError) as refused, translated_errors("create deployment/mip/blue"):
        refuse()

    assert refused.value.code == "AML301"
    assert [part for part in parts if part not in refused.value.cause] == []
    assert [part for part in ADVICE if part in refused.value.cause] == []


def test_a_text_of_lines_is_whole() -> None:
    """More than three lines, too."""
    from azure.ai.ml.exceptions import MlException

    told = "\n".join(f"line {number}" for number in range(9))
    ours = translate(MlException(message=told, no_personal_data_message=""), "create x")
    assert ours is not None
    assert ours.cause == "line 0 line 1 line 2 line 3 line 4 line 5 line 6 line 7 line 8"


def test_an_answer_of_azure_below_a_refusal_is_the_cause() -> None:
    """azure-ai-ml replaces some responses of Azure by its own text."""
    from azure.ai.ml.exceptions import AssetPathException

    answer = HttpResponseError(message="(UserError) Asset paths cannot be updated.")
    own = AssetPathException(message="The code asset changed", no_personal_data_message="", target="Code")
    own.__cause__ = answer
    ours = translate(own, "create x")
    assert ours is not None
    assert (ours.code, ours.cause) == ("AML334", "(UserError) Asset paths cannot be updated.")


def test_an_exception_of_a_library_below_azure_is_named() -> None:
    """The place is that of azure's code."""
    from azure.core.pipeline.transport import HttpRequest

    named = r"azure\.core\.\S+ \(\w+\.py, line \d+\) raised AttributeError: 'int' object has no attribute"
    with pytest.raises(Unanswered, match=named) as raised, translated_errors("create x"):
        HttpRequest("GET", 5).format_parameters({"a": "b"})  # type: ignore[arg-type]
    assert raised.value.code == "AML365"


names = st.text("abcxyz_", min_size=1, max_size=6)
messages = st.text("abc {}[]:,.'\n", min_size=1, max_size=20).filter(lambda text: text.strip(" \n."))
fields: st.SearchStrategy[Any] = st.recursive(
    st.lists(messages, min_size=1, max_size=2),
    lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3) | st.lists(inner, min_size=1, max_size=2),
    max_leaves=6,
)


def leaves(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [leaf for each in (value.values() if isinstance(value, dict) else value) for leaf in leaves(each)]


@given(st.dictionaries(names, fields, min_size=1, max_size=3), st.text("ab:\n", max_size=10))
def test_no_message_is_lost(found: dict[str, Any], before: str) -> None:
    """Of any nesting of fields."""
    told = f"{before}\n\n {json.dumps(found, indent=2)} \n\nVisit this link to refer to the schema."
    words = client_refusals.explanation(told)
    assert [leaf for leaf in leaves(found) if " ".join(leaf.split()).rstrip(".") not in words] == []


@given(st.text() | st.text('{}[]":,()x \nDetails:'))
def test_any_text_is_explained(text: str) -> None:
    """On one line of limited length; never empty for a text with a visible character."""
    words = client_refusals.explanation(text)
    assert len(words) <= client_refusals.LONGEST
    assert "\n" not in words
