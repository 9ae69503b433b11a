"""Sixty days of calls that end now: each key by its habit, in the working hours of its time zone, from one seed."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from billing.usage import Usage
from gateway_project.demo_seed.calls import CHAT, Call, around, timed
from gateway_project.demo_seed.cast import ANALYST, BOT, CHATTER, CODER, END_USERS, GEMINI, KEYS, NIGHTLY, DemoKey, house_of
from gateway_project.demo_seed.faults import Weather, befallen
from gateway_project.demo_seed.sessions import session

DAYS = 60
# How much of a working day's traffic a Monday, ..., a Sunday sees: of people, and of what runs by itself.
OF_PEOPLE = (0.95, 1.1, 1.1, 1.0, 0.8, 0.1, 0.07)
OF_MACHINES = (1.0, 1.05, 1.0, 1.0, 0.95, 0.6, 0.5)
# By hour of the day from midnight: when people work, and when customers write.
OFFICE = (0, 0, 0, 0, 0, 0, 0, 1, 4, 9, 10, 9, 4, 7, 10, 10, 8, 5, 2, 1, 1, 1, 0, 0)
CUSTOMERS = (2, 1, 1, 1, 1, 2, 3, 5, 8, 9, 9, 8, 8, 8, 8, 8, 8, 9, 10, 10, 9, 7, 5, 3)
NIGHT = (0, 1, 10, 10, 4, *(0,) * 19)
# What the last day has more of than the first.
GROWTH = 0.4

# A day of one key; the number says how busy it is.
Habit = Callable[[Random, DemoKey, datetime, float], Iterator[Call]]


def traffic(now: datetime, seed: int, days: int = DAYS) -> list[Call]:
    """All calls, oldest first. The same seed and moment give the same calls."""
    weather = Weather.before(now)
    found: list[Call] = []
    for key in KEYS:
        here = now.astimezone(ZoneInfo(house_of(key).time_zone))
        midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
        for ago in range(days, key.calls_until - 1, -1):
            rng = Random(f"{seed}:{key.name}:{ago}")  # noqa: S311 - believable, not secret
            size = key.vigour * (1 + GROWTH * (DAYS - ago) / DAYS)
            calls = HABITS[key.habit](rng, key, midnight - timedelta(days=ago), size)
            found.extend(befallen(call, rng, weather) for call in calls if call.at < now.timestamp())
    return sorted(found, key=lambda call: (call.at, call.number))


def _moments(rng: Random, day: datetime, count: float, hours: tuple[int, ...]) -> list[float]:
    """That many moments of a day, more in its busy hours."""
    chosen = rng.choices(range(24), hours, k=max(0, round(rng.gauss(count, count / 6))))
    return sorted(day.timestamp() + (hour + rng.random()) * 3600 for hour in chosen)


def _coder(rng: Random, key: DemoKey, day: datetime, size: float) -> Iterator[Call]:
    sessions = 2.8 * OF_PEOPLE[day.weekday()] * size
    is_away = rng.random() < 0.06
    for start in [] if is_away else _moments(rng, day, sessions, OFFICE):
        yield from session(rng, key, start)


def _bot(rng: Random, key: DemoKey, day: datetime, size: float) -> Iterator[Call]:
    """Cases one by one, behind a system prompt that lies in the cache."""
    for at in _moments(rng, day, 27 * OF_MACHINES[day.weekday()] * size, OFFICE):
        usage = Usage(around(rng, 2_600, 0.7), 3_072, 0, 0, around(rng, 380, 0.6))
        yield timed(Call(at, key, rng.choice(key.models), usage, rng.getrandbits(64), is_stream=False), rng, 0.9)


def _nightly(rng: Random, key: DemoKey, day: datetime, size: float) -> Iterator[Call]:
    for at in _moments(rng, day, 40 * size, NIGHT):
        usage = Usage(around(rng, 5_200, 0.6), 0, 0, 0, around(rng, 240, 0.5))
        yield timed(Call(at, key, key.models[0], usage, rng.getrandbits(64), endpoint=CHAT, is_stream=False), rng, 0.6)


def _analyst(rng: Random, key: DemoKey, day: datetime, size: float) -> Iterator[Call]:
    for at in _moments(rng, day, 9 * OF_PEOPLE[day.weekday()] * size, OFFICE):
        route = rng.choice(key.models)
        usage = Usage(around(rng, 42_000 if route == GEMINI else 9_000, 0.8), 0, 0, 0, around(rng, 1_300, 0.7))
        yield timed(Call(at, key, route, usage, rng.getrandbits(64), endpoint=CHAT, stop_reason="stop"), rng, 1.2)


def _chatter(rng: Random, key: DemoKey, day: datetime, size: float) -> Iterator[Call]:
    for at in _moments(rng, day, 46 * OF_MACHINES[day.weekday()] * size, CUSTOMERS):
        usage = Usage(around(rng, 320), 4_608, around(rng, 300), 0, around(rng, 170))
        call = Call(at, key, key.models[0], usage, rng.getrandbits(64), end_user=rng.choice(END_USERS))
        yield timed(call, rng, 0.5)


HABITS: dict[str, Habit] = {CODER: _coder, BOT: _bot, NIGHTLY: _nightly, ANALYST: _analyst, CHATTER: _chatter}
