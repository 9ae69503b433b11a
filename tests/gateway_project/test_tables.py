"""Tables of the command line: in colour for eyes, plain and whole for other programs."""

import io

import pytest

from gateway_project.tables import Mood, Table, Word, clean, coloured, facts, is_coloured, plain, share, show, state

BUDGETS = Table(
    ("name", "used", "state"), [("laptop", Word("120%", Mood.BAD), state("active")), ("研究", "5%", state("expired"))], {"used"}
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def known_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)


def shown(table: Table, out: io.StringIO | None = None, **options: bool) -> str:
    screen = out or Terminal()
    show(screen, table, options)
    return screen.getvalue()


def test_figures_are_flush_right_and_wide_letters_count_double() -> None:
    assert plain(BUDGETS) == ["name    used  state", "laptop  120%  active", "研究      5%  expired"]


def test_states_and_shares_have_their_colour_on_a_terminal() -> None:
    text = shown(BUDGETS)
    assert "\x1b[31m120%\x1b[0m" in text
    assert "\x1b[32mactive" in text
    assert "\x1b[31mexpired" in text


@pytest.mark.parametrize(("percent", "mood"), [(0, Mood.PLAIN), (79, Mood.PLAIN), (80, Mood.NEAR), (99, Mood.NEAR), (100, Mood.BAD)])
def test_share_of_a_budget_warns_before_it_is_spent(percent: int, mood: Mood) -> None:
    assert share(percent) == Word(f"{percent}%", mood)


def test_piped_table_is_plain_and_as_wide_as_it_must_be() -> None:
    wide = Table(("name", "state"), [("x" * 300, state("active"))])
    assert shown(wide, io.StringIO()) == "\n".join(plain(wide))
    assert "x" * 300 + "  active" in shown(wide, io.StringIO())


def test_narrow_terminal_folds_and_loses_nothing() -> None:
    text = shown(Table(("name", "spent"), [("x" * 100, "$12.50")], {"spent"}))
    assert text.count("x") == 100
    assert "$12.50" in text


@pytest.mark.parametrize("name", ["NO_COLOR", "TERM"])
def test_environment_can_refuse_colour(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "dumb")
    assert shown(BUDGETS) == "\n".join(plain(BUDGETS))


def test_option_decides_before_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_coloured(Terminal(), {"no_color": True, "force_color": False})
    monkeypatch.setenv("NO_COLOR", "1")
    assert is_coloured(io.StringIO(), {"no_color": False, "force_color": True})
    assert "\x1b[32mactive" in shown(BUDGETS, io.StringIO(), force_color=True)


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "a\nb", "a\rb", "a\u202eb"])
def test_what_somebody_typed_cannot_forge_lines_or_move_the_cursor(text: str) -> None:
    table = Table(("name",), [(text,)])
    told = shown(table, io.StringIO()) + coloured(Word(text)) + "".join(facts({"name": text})) + clean(text)
    assert text not in told
    assert text not in shown(table)
    assert shown(table).count("\n") == shown(Table(("name",), [("ab",)])).count("\n")


def test_square_brackets_are_text() -> None:
    assert "[red]x[/red] :smile:" in shown(Table(("name",), [("[red]x[/red] :smile:",)]))


def test_facts_leave_out_what_is_not_set() -> None:
    row = {"name": "x", "team": None, "models": ["a", "b"], "tags": [], "rpm": 0, "is_active": False}
    assert facts(row) == ["name: x", "models: a, b", "rpm: 0", "is_active: False"]
