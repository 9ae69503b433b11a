"""Completion scripts, in the shell itself."""

import subprocess
from pathlib import Path

import pytest

from gateway_project.cli import own_lines
from gateway_project.completion import SHELLS, script, whole_parser
from gateway_project.wrong_words import verbs_of
from tests.gateway_project.running import own_environment
from tests.gateway_project.test_cli import run

# What bash does when somebody presses Tab after these words.
PRESS_TAB = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_tallygate; printf "%s\\n" "${COMPREPLY[@]}"'


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "tallygate"
    path.write_text(script("bash", own_lines()))
    return path


def completed(path: Path, *words: str) -> set[str]:
    command = ["bash", "-c", PRESS_TAB, "bash", str(path), "tallygate", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=path.parent)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ke"], {"keys"}),
        (["keys", "cr"], {"create"}),
        (["keys", "create", "--na"], {"--name"}),
        (["keys", "create", "--name", "x", "--max-b"], {"--max-budget"}),
        (["keys", "create", "--name", "x", "--mode", ""], {"hard", "strict", "soft"}),
        (["budgets", "plans", "re"], {"remove"}),
        (["connect", "claude-code-b"], {"claude-code-bedrock"}),
        (["usage", "--by", "te"], {"team"}),
        (["keys", "list", "--no-c"], {"--no-color"}),
        (["apply", "--file", "tall"], {"tallygate"}),
        (["completion", "z"], {"zsh"}),
        (["serve", "--worker"], {"--workers"}),
    ],
)
def test_tab_completes_what_was_begun(bash_script: Path, words: list[str], expected: set[str]) -> None:
    assert completed(bash_script, *words) == expected


def test_tab_after_the_program_offers_every_command(bash_script: Path) -> None:
    assert set(own_lines()) <= completed(bash_script, "")


def test_every_command_and_its_words_are_in_the_parser() -> None:
    commands = verbs_of(whole_parser(own_lines()))
    assert set(commands) == set(own_lines())
    assert set(verbs_of(commands["budgets"])) == {"set", "change", "list", "show", "reset", "remove", "plans"}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_a_script(shell: str) -> None:
    text = script(shell, own_lines())
    assert "login-link" in text
    assert "--max-budget" in text


def test_script_needs_no_installation_and_makes_none(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = run(home, "completion", "bash", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", TALLYGATE_CONFIG="/nowhere.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("#")
    assert not home.exists()


def test_bash_takes_the_line_of_the_documentation(bash_script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", 'source "$1" && complete -p tallygate', "bash", str(bash_script)],
        env=own_environment(tmp_path, {}), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == "complete -o bashdefault -F _shtab_tallygate tallygate\n"
