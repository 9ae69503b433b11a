from datetime import UTC, datetime

import pytest

from keys.durations import WrongDuration, after

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30s", datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)),
        ("15m", datetime(2026, 1, 31, 12, 15, tzinfo=UTC)),
        ("12h", datetime(2026, 2, 1, 0, tzinfo=UTC)),
        ("7d", datetime(2026, 2, 7, 12, tzinfo=UTC)),
        ("1w", datetime(2026, 2, 7, 12, tzinfo=UTC)),
        ("1mo", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("12mo", datetime(2027, 1, 31, 12, tzinfo=UTC)),
    ],
)
def test_duration_is_added(text: str, moment: datetime) -> None:
    assert after(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "0d", "7 days", "1.5h", "999999mo", "30d; drop"])
def test_wrong_duration_is_refused(text: str) -> None:
    with pytest.raises(WrongDuration):
        after(text, NOW)
