"""Text that was meant to be replaced is refused where it cannot be right, with the way to replace it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.config import placeholders, rendering, validation
from deploy.documents import yaml12
from deploy.documents.locations import TemplateFiles
from deploy.errors import SpecError
from tests.unit.config.test_validation import DEPLOYMENT, ENDPOINT, ENVIRONMENT, ENVIRONMENT_FILE, check, key_of

RENAME = "Rename the file to deployment.yml.j2. Expressions can use the `values` of the environment file."


def with_line(line: str, text: str = DEPLOYMENT) -> str:
    return "\n".join([*(old for old in text.splitlines() if key_of(old) != key_of(line)), line, ""])


def found(deployment: str = DEPLOYMENT, endpoint: str = ENDPOINT, pipeline: str | None = None) -> list[tuple[str, ...]]:
    """(code, cause, cure) of each problem."""
    with pytest.raises(SpecError) as caught:
        check(endpoint, deployment, pipeline)
    return [(p.code, p.cause, p.cure) for p in caught.value.problems]


def render(deployment: str, values: str, name: str = "deployment.yml.j2") -> list[str]:
    """`place code cause cure` of each problem of a rendered template; empty if it is valid."""
    texts = {"m/endpoint.yml": ENDPOINT, f"m/{name}": deployment}
    files = TemplateFiles("m", Path("/t/m"), "m/endpoint.yml", (f"m/{name}",), None, texts.get)
    try:
        rendered = rendering.render_endpoint(
            files, ENVIRONMENT, "mip", yaml12.parse(values, "environments/dev.yml").root
        )
        validation.validate_endpoint(rendered, ENVIRONMENT, "mip", Path("/t"))
    except SpecError as error:
        return [f"{p.place} {p.code} {p.cause} {p.cure}" for p in error.problems]
    return []


REFERENCES = [
    "model: azureml:m:{text}",
    "model: '{text}'",
    "model: {{path: 'w/{text}', type: mlflow_model}}",
    "model: {{name: m, path: azureml://datastores/d/paths/x, version: '{text}', type: triton_model}}",
    "environment: azureml:e:{text}",
    "environment: {{image: 'r.io/x:{text}'}}",
    "environment: {{build: {{path: '{text}'}}}}",
    "environment: {{image: x, conda_file: '{text}/c.yml'}}",
    "instance_type: '{text}'",
    "instance_count: '{text}'",
    "app_insights_enabled: '{text}'",
    "name: '{text}'",
    "endpoint_name: '{text}'",
    "model_mount_path: '/m/{text}'",
    "code_configuration: {{code: '{text}', scoring_script: s.py}}\nenvironment: azureml:e:1",
    "request_settings: {{request_timeout_ms: '{text}'}}",
]
TEXTS = ["{{ values.x }}", "{{ env.X }}", "${X}", "$X", "$(X)", "#{X}", "<X>", "<your model>"]


@pytest.mark.parametrize("line", REFERENCES)
@pytest.mark.parametrize("text", TEXTS)
def test_a_reference_with_a_placeholder_has_one_problem(line: str, text: str) -> None:
    """The placeholder is the problem, not the form that it breaks."""
    ((code, cause, cure),) = found(with_line(line.format(text=text)))
    assert (code, cause) == ("AML117", f"{text!r} was not replaced by a value.")
    name = "your_model" if "your" in text else "x"
    use = f"Use {{{{ values.{name} }}}} in deployment.yml.j2, and set {name} under `values` in the environment file."
    assert cure == (RENAME if "{{" in text else use)


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"endpoint": "name: <name>\n"}, "name"),
        ({"endpoint": f"{ENDPOINT}traffic: {{<slot>: 100}}\n"}, "traffic"),
        ({"endpoint": f"{ENDPOINT}auth_mode: $AUTH\n"}, "auth_mode"),
        ({"pipeline": "roles: [{role: AcrPull, scope: '/subscriptions/${SUB}/x'}]\n"}, "scope"),
        ({"pipeline": "rollout: {bake: '{{ values.bake }}'}\n"}, "bake"),
    ],
)
def test_every_file_of_a_template_is_checked(files: dict[str, str], place: str) -> None:
    """Keys are texts, too."""
    assert [code for code, _, _ in found(**files)] == ["AML117"], place


@pytest.mark.parametrize(
    "line",
    [
        "description: costs <5 $ or ${X}, {{ name }}",
        "tags: {a: '<none>', b: $X}",
        "properties: {a: '${X}'}",
        "environment_variables: {A: '${B}', C: $HOME, PROMPT: 'Hello {{ name }} <eos>', S: '${{azureml://x/{y}}}'}",
        "environment: {image: x, conda_file: {name: '<x>'}, inference_config: {"
        + ", ".join(f"{name}_route: {{port: 1, path: /}}" for name in ("liveness", "readiness", "scoring"))
        + "}}",
        "model: {name: m, path: azureml://datastores/d/paths/x, description: <x>, tags: {a: $X}, type: mlflow_model}",
    ],
)
def test_free_text_can_contain_anything(line: str) -> None:
    """A container replaces its own variables, and Azure its own expressions."""
    assert check(deployment=with_line(line))


@pytest.mark.parametrize("field", ["description", "tags: {a", "environment_variables: {A"])
def test_an_expression_of_this_project_is_refused_in_free_text(field: str) -> None:
    """`values`, `environment` and `unique` exist here only, so the file was meant as a template."""
    for text in ("{{ values.x }}", "x {{ environment.name }}", "{{ unique(5) }}", "{{name}} {{ values.x | upper }}"):
        line = f"{field}: '{text}'" + ("}" if "{" in field else "")
        ((code, _, cure),) = found(with_line(line))
        assert (code, cure) == ("AML117", RENAME)


def test_rendered_text_is_not_a_template_any_more() -> None:
    """Raw text of a .j2 file is meant as it is; a value of the environment file is not rendered."""
    raw = with_line("environment_variables: {A: '{% raw %}{{ values.x }}{% endraw %}'}")
    assert render(raw, "x: 1\n") == []
    (given_value,) = render(with_line("model: '{{ values.m }}'"), "m: azureml:m:<version>\n")
    assert given_value == (
        "environments/dev.yml:1:4 AML117 '<version>' was not replaced by a value. The template uses it at "
        "templates/m/deployment.yml.j2:5:8. Write the value itself: nothing is replaced in an environment file."
    )
    free = render(with_line("description: '{{ values.m }}'"), 'm: "{{ values.x }}"\n')
    assert [line.split(" ")[1] for line in free] == ["AML117"]
    (part,) = render(with_line("model: azureml:m:$VERSION"), "{}")
    assert part.endswith("Use {{ values.version }}, and set version under `values` in the environment file.")


@pytest.mark.parametrize(
    "line",
    [
        "instance_count: {{ values.count }}",
        "{% if values.x %}\nmodel_mount_path: /x\n{% endif %}",
        "model: {{ values.model }}:1",
        "tags: {a: {{ values.a }}}",
    ],
)
def test_a_template_without_the_suffix_has_a_cure_although_it_is_no_yaml(line: str) -> None:
    """An expression without quotes breaks the YAML of a file that is not rendered."""
    (problem,) = render(DEPLOYMENT.replace("instance_count: 1\n", "") + line, "{}", "deployment.yml")
    assert " AML117 " in problem
    assert problem.endswith(RENAME)


def test_invalid_yaml_without_expressions_keeps_its_problem() -> None:
    """Also next to an Azure ML expression."""
    (problem,) = render("a: '${{ x }}' b: [\n", "{}", "deployment.yml")
    assert " AML103 " in problem


@pytest.mark.parametrize("line", ["workspace: <workspace>", "subscription_id: ${SUB}", "resource_group: '{{ x }}'"])
def test_an_environment_file_is_checked(line: str) -> None:
    """One problem; values are checked where a template uses them."""
    values = "values: {a: <x>}\nendpoints: {mip: {template: m, values: {b: $X}}}\n"
    surveyed = validation.survey_environment(
        yaml12.parse(with_line(line, ENVIRONMENT_FILE) + values, "environments/d.yml")
    )
    assert [problem.code for problem in surveyed.problems] == ["AML117"]


def test_a_path_that_exists_is_no_placeholder(tmp_path: Path) -> None:
    """A folder can have such a name."""
    (tmp_path / "templates" / "m" / "$x").mkdir(parents=True)
    text = with_line("model: {path: $x, type: mlflow_model}")
    assert check(deployment=text, root=tmp_path)
    assert [code for code, _, _ in found(text)] == ["AML117"]


def test_a_secret_is_not_quoted() -> None:
    """Not even the part that looks like a placeholder."""
    source = yaml12.parse("model: azureml:m:hunter$ECRET\n", "templates/m/deployment.yml")
    hidden = type(source)(source.file, source.root, frozenset({"hunter$ECRET"}))
    (problem,) = placeholders.unreplaced(hidden, placeholders.DOCUMENT)
    assert "ECRET" not in f"{problem.cause}{problem.cure}"


@given(st.text("${}<>()%# ax\n", max_size=30), st.booleans())
def test_any_text_is_judged(text: str, j2: bool) -> None:
    """Of any text, in any place; what is quoted is part of the text."""
    source = yaml12.parse(yaml.safe_dump({"model": text, text: {"a": text}}), "templates/m/d.yml" + ".j2" * j2)
    for problem in placeholders.unreplaced(source, placeholders.DOCUMENT):
        assert problem.code == "AML117"
        assert problem.cure


@pytest.mark.parametrize("part", ["{{", "${{", "{{ values.a ", "${", "$(", "<", "{%", "{{ }", "#{"])
def test_a_large_text_takes_little_time(part: str) -> None:
    """No pattern looks at a text twice."""
    source = yaml12.parse(yaml.safe_dump({"description": part * 20_000, "model": part * 20_000}), "templates/m/d.yml")
    start = time.process_time()
    assert list(placeholders.unreplaced(source, placeholders.DOCUMENT)) == []
    assert time.process_time() - start < 2
