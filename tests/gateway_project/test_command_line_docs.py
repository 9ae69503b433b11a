"""docs/command-line.md tells of every command, and of none that there is not."""

import re
from pathlib import Path

import pytest

from gateway_project.cli import own_lines
from gateway_project.completion import SHELLS, whole_parser
from gateway_project.wrong_words import verbs_of

PAGE = (Path(__file__).parents[2] / "docs/command-line.md").read_text()
SECTIONS = dict(re.findall(r"^### ([a-z-]+)$(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
# On pages of their own, linked from here.
ELSEWHERE = {"import", "seed-demo"}
EXAMPLES = re.findall(r"^\$ tallygate ([a-z-]+) ?([^|\n]*)", PAGE, re.MULTILINE)


def test_page_has_the_commands_that_there_are_in_their_order() -> None:
    assert [name for name in SECTIONS if name not in ELSEWHERE] == [name for name in own_lines() if name not in ELSEWHERE]


@pytest.mark.parametrize("name", sorted(set(own_lines()) - ELSEWHERE - {"beat", "completion"}))
def test_every_command_has_an_example(name: str) -> None:
    assert name in {command for command, _ in EXAMPLES}


@pytest.mark.parametrize(("name", "words"), EXAMPLES)
def test_examples_are_words_that_the_command_takes(name: str, words: str) -> None:
    parser = verbs_of(whole_parser(own_lines()))[name]
    assert parser.parse_args(words.split())


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_its_line(shell: str) -> None:
    assert f"tallygate completion {shell} > " in PAGE
