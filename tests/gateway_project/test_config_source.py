"""Several files as one configuration, and what a file says in place of the environment."""

import os
import re
from pathlib import Path

import pytest

from gateway_project import env
from gateway_project.config_file import ConfigFile, load_config
from gateway_project.env import WrongSetting
from tests.gateway_project.running import own_environment

MAIN = "include: [models.yaml]\ngeneral_settings: {litellm_key_header_name: X-Main}\n"
MODELS = "model_list:\n  - {model_name: b, litellm_params: {model: demo/b}}\n"


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "OUR_KEY", "OUR_HEADER", "AZURE_API_BASE", "TALLYGATE_TIME_ZONE"):
        monkeypatch.delenv(name, raising=False)


def written(folder: Path, **files: str) -> ConfigFile:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return load_config(folder / "config.yaml")


def refusal(folder: Path, **files: str) -> str:
    with pytest.raises(WrongSetting) as caught:
        written(folder, **files)
    return str(caught.value)


# ── include ───────────────────────────────────────────────────────────────────
def test_rows_of_an_included_file_are_added(tmp_path: Path) -> None:
    own = "model_list:\n  - {model_name: a, litellm_params: {model: demo/a}}\n"
    config = written(tmp_path, config=MAIN + own, models=MODELS)
    assert [row.route for row in config.deployments] == ["a", "b"]
    assert config.not_honoured == ()


def test_paths_count_from_the_file_that_includes(tmp_path: Path) -> None:
    config = written(tmp_path, config="include: [more/first.yaml]", more__first="include: [second.yaml]", more__second=MODELS)
    assert [row.route for row in config.deployments] == ["b"]


def test_file_that_two_others_include_is_taken_once(tmp_path: Path) -> None:
    both = dict.fromkeys(("one", "two"), "include: [models.yaml]")
    config = written(tmp_path, config="include: [one.yaml, two.yaml]", models=MODELS, **both)
    assert [row.route for row in config.deployments] == ["b"]


def test_key_that_two_files_set_is_told_and_the_including_files_counts(tmp_path: Path) -> None:
    config = written(tmp_path, config=MAIN, models="general_settings:\n  litellm_key_header_name: X-Other\n")
    assert config.environment == {"key_header": "X-Main"}
    assert config.not_honoured == (
        "general_settings.litellm_key_header_name (line 2 of models.yaml; the file that includes it says it too)",
    )


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"config": "include: [config.yaml]"}, r"config.yaml, line 1: include\[0\] leads back to .*config.yaml"),
        ({"config": "a: 1\ninclude:\n  - one.yaml", "one": "include: [config.yaml]"}, r"one.yaml, line 1: include\[0\] leads back"),
        ({"config": "include:\n  - gone.yaml"}, r"config.yaml, line 2: include\[0\] names .*gone.yaml, which is no file"),
        ({"config": "a: 1\ninclude: models.yaml"}, "config.yaml, line 2: include must be a list of file names"),
        ({"config": "include: [one.yaml]", "one": "a: [\n"}, "one.yaml, line 2: not valid YAML"),
        (
            {"config": MODELS + "include: [one.yaml]", "one": "model_list:\n  - {model_name: c}\n"},
            r"one.yaml, line 2: model_list\[1\].litellm_params.model is needed",
        ),
    ],
)
def test_mistake_names_the_file_that_it_is_in(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    told = refusal(tmp_path, **files)
    assert re.search(expected, told), told
    assert "\n" not in told


def test_key_file_is_looked_for_beside_the_file_that_names_it(tmp_path: Path) -> None:
    row = "model_list:\n  - model_name: g\n    litellm_params: {model: vertex_ai/gemini-3, vertex_credentials: sa.json}\n"
    config = written(tmp_path, config="include: [more/google.yaml]", more__google=row)
    assert config.deployments[0].reference == f"file:{tmp_path}/more/sa.json"


# ── environment_variables ─────────────────────────────────────────────────────
VARIABLES = "environment_variables: {OUR_KEY: sk-private, OUR_HEADER: X-Ours, ANTHROPIC_API_KEY: sk-ant-private, EMPTY: '', NUMBER: 7}\n"


def test_variables_are_what_references_and_usual_names_mean(tmp_path: Path) -> None:
    rows = "model_list: [{model_name: a, litellm_params: {model: anthropic/x}}]\n"
    general = "general_settings: {master_key: os.environ/OUR_KEY, litellm_key_header_name: os.environ/OUR_HEADER}\n"
    config = written(tmp_path, config=VARIABLES + rows + general)
    assert config.environment == {"master_key": "sk-private", "key_header": "X-Ours"}
    assert config.deployments[0].reference == "env:ANTHROPIC_API_KEY"
    assert (config.missing, config.not_honoured) == ((), ())
    assert config.variables["NUMBER"] == "7"
    assert "EMPTY" not in config.variables


def test_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_HEADER", "X-Outside")
    config = written(tmp_path, config=VARIABLES + "general_settings: {litellm_key_header_name: os.environ/OUR_HEADER}\n")
    assert config.environment == {"key_header": "X-Outside"}


def test_variable_may_refer_to_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_KEY", "sk-outside")
    config = written(
        tmp_path, config="environment_variables: {ANTHROPIC_API_KEY: os.environ/OUR_KEY, AZURE_API_BASE: os.environ/NOT_THERE}"
    )
    assert (dict(config.variables), config.missing) == ({"ANTHROPIC_API_KEY": "sk-outside"}, ("NOT_THERE",))


def test_values_are_in_no_printed_form(tmp_path: Path) -> None:
    assert "private" not in repr(written(tmp_path, config=VARIABLES))


@pytest.mark.parametrize("text", ["TALLYGATE_HOME: /x", "TALLYGATE_CONFIG: /x", "A: [sk-private]", "A: {b: sk-private}"])
def test_variable_that_cannot_be_is_refused_without_its_value(tmp_path: Path, text: str) -> None:
    told = refusal(tmp_path, config=f"environment_variables:\n  {text}\n")
    assert told.startswith(f"{tmp_path}/config.yaml, line 2: environment_variables.")
    assert "private" not in told


def test_names_are_filled_in_where_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", own_environment(Path("/nowhere"), {"OURS": "kept", "BLANK": " "}))
    monkeypatch.setattr(env, "FILLED_IN", set())
    monkeypatch.setattr(env, "READINGS", {})
    env.fill_in({"OURS": "not this", "BLANK": "filled", "TALLYGATE_TIME_ZONE": "Europe/Berlin"})
    assert (os.environ["OURS"], os.environ["BLANK"]) == ("kept", "filled")
    env.text("TALLYGATE_TIME_ZONE", meaning="x")
    assert env.READINGS["TALLYGATE_TIME_ZONE"].source == "configuration file"
