"""Every command with its verbs and options as one parser, of which completion scripts are made.

The script holds all words itself: pressing Tab starts no program and asks no database.
"""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import shtab
from django.core.management import get_commands, load_command_class

from gateway_project.wrong_words import verbs_of

PROGRAM = "tallygate"
SHELLS = ("bash", "zsh", "fish")
FILES = ("FILE",)


def script(shell: str, lines: Mapping[str, str]) -> str:
    """`lines` tells what each command does."""
    return str(shtab.complete(whole_parser(lines), shell))


def whole_parser(lines: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM)
    parser.add_argument("--version", action="version", version="", help="tell the version")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, line in lines.items():
        _add(commands, name, line)
    return parser


def _add(commands: Any, name: str, line: str) -> None:
    module = name.replace("-", "_")
    one = commands.add_parser(name, help=line)
    load_command_class(get_commands()[module], module).add_arguments(one)
    for each in _with_verbs(one):
        _add_general(each)
        _name_files(each)


def _add_general(parser: argparse.ArgumentParser) -> None:
    """What the frame takes wherever it stands."""
    if "--config" not in parser._option_string_actions:
        parser.add_argument("--config", metavar="FILE", help="config.yaml that names the database and the master key")
    parser.add_argument("--no-color", action="store_true", help="no colour on a terminal either")


def _with_verbs(parser: argparse.ArgumentParser) -> Iterable[argparse.ArgumentParser]:
    yield parser
    for verb in verbs_of(parser).values():
        yield from _with_verbs(verb)


def _name_files(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if action.type is Path or action.metavar in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
