"""The command line's frame, through the real program."""

import argparse
import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway_project import cli
from gateway_project.completion import whole_parser
from gateway_project.wrong_words import verbs_of

ROOT = Path(__file__).parents[2]
FOREIGN = ("TALLYGATE_", "DJANGO_", "ANTHROPIC_", "LITELLM_", "DATABASE_URL", "REDIS_URL")


def run(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python manage.py words…` from another folder, with nothing of this machine's settings."""
    command, env = program(home, *words, **environment)
    return subprocess.run(command, env=env, cwd=home.parent, capture_output=True, text=True, timeout=60, check=False)  # our own program


def program(home: Path, *words: str, **environment: str) -> tuple[list[str], dict[str, str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return [sys.executable, str(ROOT / "manage.py"), *words], kept | {"TALLYGATE_HOME": str(home)} | environment


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
    assert lines["TALLYGATE_TIME_ZONE"].split()[1:3] == ["Europe/Berlin", "environment"]
    assert lines["TALLYGATE_MASTER_KEY"].split()[1:3] == ["set", "LITELLM_MASTER_KEY"]
    assert lines["TALLYGATE_SECRET_KEYS"].split()[1:3] == ["set", "secrets.env"]
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


def test_version_needs_no_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tallygate", "--version"]) == 0
    assert capsys.readouterr().out == f"{cli.version()}\n"


# ── mistakes ──────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("keys", "VERB is one of create, list, show, revoke, block, unblock, rotate. See `tallygate keys --help`."),
        ("keys lst", "Did you mean 'list'? See `tallygate keys --help`."),
        ("keys list --jsn", "unrecognized arguments: --jsn. Did you mean '--json'? See `tallygate keys list --help`."),
        ("keys create --name x --rpm many", "argument --rpm: invalid int value: 'many'. See `tallygate keys create --help`."),
        ("budgets plans st", "Did you mean 'set'? See `tallygate budgets plans --help`."),
        ("usage --from yesterday", "'yesterday' is no date. Write 2026-11-21,"),
        ("usage --from 0001-01-01T00:00+14:00", "is no date."),
        ("connect", "the following arguments are required: CLIENT. See `tallygate connect --help`."),
        ("completion tcsh", "(choose from 'bash', 'zsh', 'fish')"),
        ("keys list --config nowhere.yaml", "--config names 'nowhere.yaml', which is not a file."),
    ],
)
def test_wrong_word_is_one_line_with_what_is_meant(capsys: pytest.CaptureFixture[str], words: str, told: str) -> None:
    assert cli.main(["tallygate", *words.split()]) == 2
    out, err = capsys.readouterr()
    assert told in err
    assert (out, err.count("\n"), err.split(":")[0]) == ("", 1, "tallygate")


def test_secret_in_the_wrong_place_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tallygate", "connect", "sk-canary"]) == 2
    assert cli.main(["tallygate", "connect", "openai", "--ky=sk-canary", "sk-canary2"]) == 2
    assert "canary" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("keys list --jsn", 2, "unrecognized arguments: --jsn."),
        ("keys list", 1, "the database refused: no such table"),
        ("apply -f nowhere.yaml", 1, "nowhere.yaml cannot be read: No such file or directory."),
        ("prices diff --file nowhere.json", 1, "nowhere.json cannot be read: No such file or directory."),
    ],
)
def test_mistake_is_one_line_and_no_traceback(tmp_path: Path, words: str, code: int, told: str) -> None:
    done = run(tmp_path / "home", *words.split())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert told in done.stderr


def test_database_that_is_not_there_is_one_line_without_its_password(tmp_path: Path) -> None:
    done = run(tmp_path / "home", "keys", "list", DATABASE_URL="postgresql://someone:canary@127.0.0.1:1/x")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "Connection refused" in done.stderr
    assert "canary" not in done.stderr


def test_time_zone_that_is_none_is_one_line(tmp_path: Path) -> None:
    done = run(tmp_path / "home", "check-config", TALLYGATE_TIME_ZONE="Mars")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "TALLYGATE_TIME_ZONE is 'Mars'" in done.stderr


def test_control_c_ends_with_130_and_no_word(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql://someone@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=50&gssencmode=disable&sslmode=disable"
        command, env = program(tmp_path / "home", "keys", "list", DATABASE_URL=address)
        silent.settimeout(60)
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with silent.accept()[0] as asked:
            assert asked.recv(1)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 130


@pytest.mark.parametrize("words", [["--help"], ["check-config"]])
def test_reader_that_left_is_no_mistake(tmp_path: Path, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command, env = program(tmp_path / "home", *words)
    done = subprocess.run(command, env=env, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


# ── what is written ───────────────────────────────────────────────────────────
def leaves(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, set[str]]]:
    """Every command and verb that does something, with its options."""
    verbs = verbs_of(parser)
    for verb, below in verbs.items():
        yield from leaves(f"{name} {verb}".strip(), below)
    yield from [(name, set(parser._option_string_actions))][: not verbs]


def test_everything_that_tells_something_tells_it_as_json() -> None:
    lacking = {name for name, options in leaves("", whole_parser(cli.own_lines())) if "--json" not in options}
    assert lacking <= {"serve", "worker", "beat", "completion", "seed-demo"}


def test_json_is_all_that_stdout_gets(tmp_path: Path) -> None:
    done = run(tmp_path / "home", "doctor", "--no-calls", "--json", "--force-color")
    assert done.returncode == 1
    assert json.loads(done.stdout)[-1]["what"] == "database"


@pytest.mark.parametrize(("environment", "words", "is_coloured"), [
    ({}, [], True), ({"NO_COLOR": "1"}, [], False), ({"TERM": "dumb"}, [], False), ({}, ["--no-color"], False),
])  # fmt: skip
def test_terminal_gets_colour_unless_it_is_refused(
    tmp_path: Path, environment: dict[str, str], words: list[str], is_coloured: bool
) -> None:
    ours, theirs = os.openpty()
    command, env = program(tmp_path / "home", "doctor", "--no-calls", *words, **{"TERM": "xterm"} | environment)
    subprocess.run(command, env=env, stdout=theirs, timeout=60, check=False)
    os.close(theirs)
    assert ("\x1b[32mok\x1b[0m  settings" in all_of(ours)) is is_coloured


def all_of(terminal: int) -> str:
    """What was written to a terminal whose other end is closed."""
    found = b""
    with suppress(OSError) as end:
        while part := os.read(terminal, 4096):
            found += part
    assert end is None or end.errno == errno.EIO
    os.close(terminal)
    return found.decode()
