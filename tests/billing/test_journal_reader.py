"""What the reading side of a journal remembers between blocks: how far it is, and which attempts are open."""

from pathlib import Path

import pytest

from billing import journal_reader
from billing.journal_reader import Notes, Reader

OPENED = [b"o req_1.1 [1]", b"o req_1.2 [2]", b"o req_2.1 [3]"]


def reader(folder: Path, *files: bytes) -> Reader:
    for number, content in enumerate(files, 1):
        (folder / f"{number:08d}.log").write_bytes(content)
    return Reader(folder)


def told(
    of: Reader,
    *,
    opened: list[bytes] | None = None,
    closed: set[bytes] | None = None,
    freed: list[bytes] | None = None,
    extended: list[tuple[bytes, int]] | None = None,
) -> list[tuple[bytes, int]]:
    """What is open once the next block told this."""
    block = of.next_block()
    assert block is not None
    of.posted(block, Notes(opened or [], closed or set(), freed or [], extended or []))
    return of.openings()


def test_lines_at_the_end_of_the_newest_file_are_the_last(tmp_path: Path) -> None:
    of = reader(tmp_path, b"a\nb\n", b"c\n")
    first = of.next_block()
    assert first is not None
    assert (first.lines, first.is_last) == ([b"a", b"b"], False)
    of.posted(first, Notes([], set(), [], []))
    second = of.next_block()
    assert second is not None
    assert (second.lines, second.is_last) == ([b"c"], True)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_lines_that_more_lines_follow_are_not_the_last(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_reader, "READ_BYTES", size)
    of = reader(tmp_path, b"aa\nbb\ncc\n")
    lines: list[bytes] = []
    while (block := of.next_block()) is not None:
        lines += block.lines
        assert not block.is_last or len(lines) == 3
        of.posted(block, Notes([], set(), [], []))
    assert lines == [b"aa", b"bb", b"cc"]


def test_line_that_is_not_whole_waits_for_its_end(tmp_path: Path) -> None:
    of = reader(tmp_path, b"a\nb")
    assert told(of) == []
    assert of.next_block() is None
    assert of.torn_files() == ["00000001.log"]
    (tmp_path / "00000001.log").write_bytes(b"a\nb\n")
    block = of.next_block()
    assert block is not None
    assert block.lines == [b"b"]


def test_closed_call_has_no_open_attempts(tmp_path: Path) -> None:
    of = reader(tmp_path, b"a\n", b"b\n")
    assert told(of, opened=OPENED) == [(line, 0) for line in OPENED]
    assert told(of, closed={b"req_1"}) == [(OPENED[2], 0)]


def test_call_that_is_closed_in_the_block_that_opens_it_was_never_open(tmp_path: Path) -> None:
    assert told(reader(tmp_path, b"a\n"), opened=OPENED, closed={b"req_1", b"req_2"}) == []


def test_freed_attempt_ends_alone(tmp_path: Path) -> None:
    of = reader(tmp_path, b"a\n", b"b\n")
    assert told(of, opened=OPENED, freed=[b"req_1.1", b"req_9.1"]) == [(OPENED[1], 0), (OPENED[2], 0)]
    assert told(of, freed=[b"req_1.2", b"req_2.1"]) == []


def test_extension_is_that_of_its_attempt(tmp_path: Path) -> None:
    found = told(reader(tmp_path, b"a\n"), opened=OPENED, extended=[(b"req_1.2", 9), (b"req_1.2", 70), (b"req_9.1", 5)])
    assert found == [(OPENED[0], 0), (OPENED[1], 70), (OPENED[2], 0)]


def test_files_that_tell_of_an_open_attempt_are_kept(tmp_path: Path) -> None:
    of = reader(tmp_path, b"a\n", b"b\n", b"c\n", b"d\n")
    told(of, opened=OPENED[:1])
    told(of)
    told(of, extended=[(b"req_1.1", 9)])
    told(of)
    of.delete_finished()
    assert [path.name for path in of.files()] == ["00000001.log", "00000003.log", "00000004.log"]
    (tmp_path / "00000005.log").write_bytes(b"e\n")
    told(of, closed={b"req_1"})
    of.delete_finished()
    assert [path.name for path in of.files()] == ["00000005.log"]
