"""`30s`, `15m`, `1h`, `7d`, `2w`, `1mo`: how long something lasts from a moment on. Pure."""

import calendar
import re
from datetime import datetime, timedelta

_SHAPE = re.compile(r"([1-9]\d{0,5})(s|m|h|d|w|mo)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class WrongDuration(ValueError):
    """A text that names no duration; the message says which shapes do."""


def parts_of(text: str) -> tuple[int, str]:
    found = _SHAPE.fullmatch(text.strip().lower())
    if not found:
        raise WrongDuration(f"{text!r} is no duration. Write a number and a unit, such as 30m, 12h, 7d, 2w or 1mo.")
    return int(found[1]), found[2]


def after(text: str, now: datetime) -> datetime:
    """The moment `text` after `now`. A month later is the same day, or the last day of a shorter month."""
    count, unit = parts_of(text)
    try:
        if unit != "mo":
            return now + timedelta(seconds=count * _SECONDS[unit])
        year, month = divmod(now.year * 12 + now.month - 1 + count, 12)
        return now.replace(year=year, month=month + 1, day=min(now.day, calendar.monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError) as error:
        raise WrongDuration(f"{text!r} is too long.") from error
