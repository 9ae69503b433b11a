"""The command line's frame, through the real program."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_project import cli

ROOT = Path(__file__).parents[2]
FOREIGN = ("TALLYGATE_", "DJANGO_", "ANTHROPIC_", "LITELLM_", "DATABASE_URL", "REDIS_URL")


def run(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python manage.py words…` from another folder, with nothing of this machine's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    env = kept | {"TALLYGATE_HOME": str(home)} | environment
    return subprocess.run(command, env=env, cwd=home.parent, capture_output=True, text=True, timeout=60, check=False)  # our own program


def test_help_shows_our_commands_before_djangos() -> None:
    text = cli.help_text("tallygate")
    assert text.index("serve") < text.index("check-config") < text.index("keys ") < text.index("Django:") < text.index("makemigrations")


def test_every_command_of_ours_has_its_line_in_the_help() -> None:
    explained = {name for group in cli.GROUPS.values() for name in group}
    assert cli.own_commands() <= explained


@pytest.mark.parametrize("words", [(), ("--help",), ("help",)])
def test_help_needs_no_settings(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert cli.main(["tallygate", *words]) == 0
    assert capsys.readouterr().out == cli.help_text("tallygate")


def test_unknown_command_is_one_line_with_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tallygate", "check-confg"]) == 2
    told = capsys.readouterr().err
    assert told == "tallygate: there is no command 'check-confg'. Did you mean 'check-config'? See `tallygate --help`.\n"


def test_wrong_setting_is_one_line_and_code_2(tmp_path: Path) -> None:
    done = run(tmp_path / "home", "check-config", TALLYGATE_DRAIN_S="soon")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "manage.py: TALLYGATE_DRAIN_S is 'soon'; a number is needed. Correct or unset it.\n"


def test_mistake_in_the_configuration_file_is_one_line_and_code_2(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("model_list: nothing\n")
    done = run(tmp_path / "home", "serve", "--config", "config.yaml")
    assert done.returncode == 2
    assert done.stderr == f"manage.py: {config}, line 1: model_list must be a list of rows that start with `- model_name:`.\n"


@pytest.mark.parametrize("words", [["--config", "nowhere.yaml"], ["--config"], ["--config="]])
def test_config_that_is_no_file_is_refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert cli.main(["tallygate", "serve", *words]) == 2
    assert capsys.readouterr().err.startswith("tallygate: --config names")


def test_refusal_of_a_command_is_one_line_without_a_class_name(tmp_path: Path) -> None:
    done = run(tmp_path / "home", "worker")
    assert done.returncode == 1
    assert done.stderr.startswith("manage.py: no broker is set")
    assert done.stderr.count("\n") == 1


def test_check_config_lists_settings_with_their_source_and_no_secret(tmp_path: Path) -> None:
    done = run(tmp_path / "home", "check-config", TALLYGATE_TIME_ZONE="Europe/Berlin", LITELLM_MASTER_KEY="sk-very-private")
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert done.returncode == 0, done.stderr
    assert "Europe/Berlin  (environment)" in lines["TALLYGATE_TIME_ZONE"]
    assert "set  (LITELLM_MASTER_KEY)" in lines["TALLYGATE_MASTER_KEY"]
    assert "set  (secrets.env)" in lines["TALLYGATE_SECRET_KEYS"]
    assert "sk-very-private" not in done.stdout


def test_check_config_ends_with_1_on_a_name_that_is_not_set(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("general_settings: {master_key: os.environ/NO_SUCH_KEY, alerting: [slack]}\n")
    done = run(tmp_path / "home", "check-config", "--json", "--config", "c.yaml")
    assert done.returncode == 1
    assert '"general_settings.alerting"' in done.stdout
    assert "refers to NO_SUCH_KEY, which is not set" in done.stdout


def test_check_config_ends_with_1_on_a_misspelt_setting(tmp_path: Path) -> None:
    done = run(tmp_path / "home", "check-config", TALLYGATE_PUBLICURL="http://gateway.test")
    assert done.returncode == 1
    assert "TALLYGATE_PUBLICURL is set, but no setting has that name" in done.stdout


def test_missing_tables_are_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("model_list: [{model_name: m, litellm_params: {model: demo/x}}]\n")
    done = run(tmp_path / "home", "apply", "-f", "c.yaml")
    assert done.returncode == 1
    assert done.stderr.startswith("manage.py: the database refused: no such table")
    assert done.stderr.count("\n") == 1
