"""Whatever stands in a journal, draining it ends: what can be read is posted, the rest is set aside, nothing is tried for ever."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import msgspec
import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import disk_sync
from billing.drain import Drainer
from billing.journal import Journal
from billing.models import Budget, LedgerEntry, Window
from tests.billing.lines import AT, closing, opening

WINDOWS = [(1, AT - 60)]
ENTRY = msgspec.json.encode(closing("req_1", [7, 8], WINDOWS))
OPENED = msgspec.json.encode(opening("req_2", WINDOWS))
LINES = [b"c req_1 " + ENTRY, b"o req_2.1 " + OPENED]
VALUES = [
    b"null",
    b"true",
    b"-1",
    b"1e18",
    b"1e300",
    b"1e400",
    b"-1e18",
    b"9" * 19,
    b"9" * 5000,
    b'""',
    b'"\\u0000"',
    b'"\\ud800"',
    b"[]",
    b"{}",
]
VALUES += [b"[[9999999999999999999999,1.0]]", b"[[1,1e300]]", b'"' + b"x" * 300 + b'"', b"[" * 2000]


def positions(content: bytes) -> list[tuple[int, int]]:
    """Where the values of an encoded line begin and end, roughly: between its commas and brackets."""
    edges = [0] + [index + 1 for index, byte in enumerate(content) if byte in b",[]"]
    return list(zip(edges, [edge - 1 for edge in edges[1:]], strict=False))


@st.composite
def odd_lines(draw: st.DrawFn) -> bytes:
    line = draw(st.sampled_from(LINES))
    for _ in range(draw(st.integers(1, 3))):
        start, end = draw(st.sampled_from(positions(line)))
        line = line[:start] + draw(st.sampled_from(VALUES) | st.binary(max_size=6)) + line[end:]
    return line


@pytest.mark.django_db
@settings(max_examples=100, deadline=None)
@given(lines=st.lists(odd_lines() | st.binary(max_size=40), max_size=4))
def test_odd_lines_never_keep_the_others_out(lines: list[bytes]) -> None:
    synced = mock.patch.object(disk_sync, "SYNC_EVERY_S", 0)
    with transaction.atomic(), tempfile.TemporaryDirectory() as folder, synced:
        budget = Budget.objects.create(scope="global", amount_nano=1)
        dead = Journal(Path(folder))
        dead.stop()
        last = b"c req_9 " + msgspec.json.encode(closing("req_9", [30], [(budget.pk, AT)]))
        (dead.folder / "00000001.log").write_bytes(b"\n".join([*lines, last, b""]))
        Drainer(Path(folder), None).drain_once()
        assert not dead.folder.exists()
        assert LedgerEntry.objects.get(request_id="req_9").amount_nano == 30
        assert Window.objects.get(budget=budget, starts_at=datetime.fromtimestamp(AT, UTC)).posted_nano == 30
        transaction.set_rollback(True)
