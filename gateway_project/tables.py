"""Tables and lists as the command line prints them: for eyes on a terminal, for `grep` and `awk` when piped.

What stands in a cell was often typed by somebody else, so nothing in it can move a cursor or begin a new line.
"""

import io
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

NEAR_PERCENT = 80
GAP = 2


class Mood(StrEnum):
    """How a word is coloured."""

    PLAIN = ""
    GOOD = "green"
    NEAR = "yellow"
    BAD = "red"


@dataclass(frozen=True, slots=True)
class Word:
    """A cell with a colour."""

    text: str
    mood: Mood = Mood.PLAIN


@dataclass(frozen=True, slots=True)
class Table:
    """A line of headings, then one per row. The columns named in `figures` are flush right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Word]]
    figures: Collection[str] = ()


class Screen(Protocol):
    """A command's stdout."""

    def write(self, text: str, /) -> object: ...

    def isatty(self) -> bool: ...


STATES = {
    "active": Mood.GOOD,
    "ok": Mood.GOOD,
    "note": Mood.NEAR,
    "deployment off": Mood.NEAR,
    "off": Mood.NEAR,
    "blocked": Mood.BAD,
    "expired": Mood.BAD,
    "revoked": Mood.BAD,
    "no deployment": Mood.BAD,
    "wrong": Mood.BAD,
}


def state(word: str) -> Word:
    """What a key, a route or a finding is, in its colour."""
    return Word(word, STATES.get(word, Mood.PLAIN))


def share(percent: int) -> Word:
    """How much of a budget is used."""
    mood = Mood.BAD if percent >= 100 else Mood.NEAR if percent >= NEAR_PERCENT else Mood.PLAIN
    return Word(f"{percent}%", mood)


def show(out: Screen, table: Table, options: Mapping[str, Any]) -> None:
    """Writes the table, in colour where `is_coloured`. `options` are the command's: Django gives every one --no-color and --force-color."""
    if is_coloured(out, options):
        out.write(_drawn(table, shutil.get_terminal_size().columns))
    else:
        out.write("\n".join(plain(table)))


def is_coloured(out: Screen, options: Mapping[str, Any]) -> bool:
    if options.get("force_color") or options.get("no_color"):
        return bool(options.get("force_color"))
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def plain(table: Table) -> list[str]:
    """Columns as wide as they must be, however wide that is: a cut line could not be searched."""
    texts = [[clean(_text(cell)) for cell in line] for line in (table.columns, *table.rows)]
    widths = [max(map(cell_len, column)) for column in zip(*texts, strict=True)]
    rights = [name in table.figures for name in table.columns]
    return [(" " * GAP).join(map(_padded, line, widths, rights)).rstrip() for line in texts]


def coloured(word: Word) -> str:
    """One word for a terminal."""
    return _ansi(Text(clean(word.text), word.mood.value), width=len(word.text) * 2 + 1)


def facts(row: Mapping[str, Any]) -> list[str]:
    """`name: value` for everything that is set."""
    return [f"{name}: {clean(_told(value))}" for name, value in row.items() if value not in (None, "", [], {})]


def clean(text: str) -> str:
    """Signs that are none, such as line ends and the terminal's own codes, are spelled out."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _drawn(table: Table, width: int) -> str:
    drawn = RichTable(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for name in table.columns:
        is_figure = name in table.figures
        drawn.add_column(name, justify="right" if is_figure else "left", no_wrap=is_figure, overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(clean(_text(cell)), cell.mood.value if isinstance(cell, Word) else "") for cell in row))
    return _ansi(drawn, width)


def _ansi(what: RichTable | Text, width: int) -> str:
    target = io.StringIO()
    # a screen of its own, told all it would otherwise guess: the caller has decided that there is colour
    Console(file=target, force_terminal=True, color_system="standard", no_color=False, width=width, highlight=False).print(what)
    return target.getvalue().rstrip("\n")


def _text(cell: str | Word) -> str:
    return cell.text if isinstance(cell, Word) else cell


def _padded(text: str, width: int, is_right: bool) -> str:
    gap = " " * (width - cell_len(text))
    return gap + text if is_right else text + gap


def _told(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
