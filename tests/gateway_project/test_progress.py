"""Progress bars: on a terminal, and nowhere else."""

import io

import pytest

from gateway_project.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def known_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def steps(stream: io.StringIO, total: int | None = 10) -> str:
    with progress("Repricing", total, stream=stream) as step:
        step(7)
        step()
    return stream.getvalue()


def test_bar_on_a_terminal_tells_what_is_done_and_what_is_to_do() -> None:
    assert "Repricing" in steps(Terminal())
    assert "8/10" in steps(Terminal())


def test_work_of_unknown_size_is_told_without_a_number() -> None:
    told = steps(Terminal(), total=None)
    assert "Repricing" in told
    assert "/" not in told


def test_nothing_is_written_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    assert steps(io.StringIO()) == ""
    with progress("Repricing", 3) as step:
        step(3)
    assert capsys.readouterr() == ("", "")


def test_terminal_that_cannot_draw_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert steps(Terminal()) == ""


def test_bar_is_taken_away_when_the_work_fails() -> None:
    stream = Terminal()
    with pytest.raises(RuntimeError), progress("Repricing", 10, stream=stream):
        raise RuntimeError
    assert stream.getvalue().endswith("\x1b[2K")
