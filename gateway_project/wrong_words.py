"""What is told about words that a command does not know: one line with the nearest that it does."""

import argparse
import difflib
import re
from collections.abc import Mapping, Sequence

NO_CHOICE = re.compile(r"invalid choice: '(?P<word>.*?)' \(choose from (?P<choices>.*)\)")
UNKNOWN = re.compile(r"unrecognized arguments: (?P<words>.*)")
# A secret that slipped into the wrong place must not come back in an error that may be logged.
SECRET = re.compile(r"sk-[^\s'\"]+")


def told(parser: argparse.ArgumentParser, words: Sequence[str], message: str) -> str:
    """argparse's own message made one sentence, a guess, and where to read on."""
    nearest = _deepest(parser, words)
    said = SECRET.sub("sk-…", message.removeprefix("Error: ").rstrip("."))
    return f"{said}. {_guess(nearest, message)}See `{nearest.prog} --help`."


def near(word: str, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {found[0]!r}? " if found else ""


def verbs_of(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    return {}


def _deepest(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the verb that the words name."""
    for word in words:
        parser = verbs_of(parser).get(word, parser)
    return parser


def _guess(parser: argparse.ArgumentParser, message: str) -> str:
    if wrong := NO_CHOICE.search(message):
        return near(wrong["word"], re.findall(r"'(.*?)'", wrong["choices"]))
    if unknown := UNKNOWN.search(message):
        return near(unknown["words"].split()[0].partition("=")[0], list(parser._option_string_actions))
    if message.endswith("required: VERB"):
        return f"VERB is one of {', '.join(verbs_of(parser))}. "
    return ""
