"""Typed readers for the environment. A wrong value stops the start with its name and the fix.

Every setting is declared once through a reader here, so `check-config` can list all of them with their source.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from console.currencies import Currency, WrongRate, read_rates
from keys.required_headers import WrongHeader, header_line
from keys.snapshot import RequiredHeader


class WrongSetting(ValueError):
    """A setting from the environment that we cannot use; the text names it and the fix."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One setting as it was read: where from, and whether its value may be shown."""

    name: str
    shown: str
    source: str
    meaning: str


READINGS: dict[str, Reading] = {}
YES = frozenset({"1", "true", "yes", "on"})
# Names that the configuration file filled in.
FILLED_IN: set[str] = set()


def _note(name: str, value: str, *, found: bool, secret: bool, meaning: str) -> None:
    shown = ("set" if value else "not set") if secret else value
    source = "configuration file" if name in FILLED_IN else "environment"
    READINGS[name] = Reading(name, shown, source if found else "default", meaning)


def fill_in(variables: Mapping[str, str]) -> None:
    """Lets a configuration file speak where the environment says nothing."""
    for name, value in variables.items():
        if not os.environ.get(name, "").strip():
            os.environ[name] = value
            FILLED_IN.add(name)


def unread(prefix: str = "TALLYGATE_") -> list[str]:
    """Names in the environment that look like ours but that no reader asked for: most often a slip of the pen."""
    return sorted(name for name in os.environ if name.startswith(prefix) and name not in READINGS)


def text(name: str, default: str = "", *, meaning: str, secret: bool = False) -> str:
    raw = os.environ.get(name, "").strip()
    _note(name, raw or default, found=bool(raw), secret=secret, meaning=meaning)
    return raw or default


def _converted(name: str, raw: str, convert: Callable[[str], object], expected: str) -> None:
    try:
        convert(raw)
    except ValueError:
        raise WrongSetting(f"{name} is {raw!r}; {expected} is needed. Correct or unset it.") from None


def number(name: str, default: float, *, meaning: str) -> float:
    raw = text(name, str(default), meaning=meaning)
    _converted(name, raw, float, "a number")
    if not 0 <= float(raw) < 1e12:
        raise WrongSetting(f"{name} is {raw!r}; a number of 0 or more is needed. Correct or unset it.")
    return float(raw)


def whole(name: str, default: int, *, meaning: str) -> int:
    raw = text(name, str(default), meaning=meaning)
    _converted(name, raw, int, "a whole number")
    if int(raw) < 0:
        raise WrongSetting(f"{name} is {raw!r}; a whole number of 0 or more is needed. Correct or unset it.")
    return int(raw)


def flag(name: str, *, default: bool, meaning: str) -> bool:
    raw = text(name, "yes" if default else "no", meaning=meaning).lower()
    if raw in YES:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    raise WrongSetting(f"{name} is {raw!r}; yes or no is needed. Correct or unset it.")


def choice(name: str, default: str, choices: tuple[str, ...], *, meaning: str) -> str:
    """One of a few words, whatever their case."""
    raw = text(name, default, meaning=meaning).lower()
    if raw not in choices:
        raise WrongSetting(f"{name} is {raw!r}; {' or '.join(choices)} is needed. Correct or unset it.")
    return raw


def words(name: str, default: str = "", *, meaning: str, secret: bool = False) -> list[str]:
    raw = text(name, default, meaning=meaning, secret=secret)
    return [word.strip() for word in raw.split(",") if word.strip()]


def time_zone(name: str, default: str, *, meaning: str) -> str:
    found = text(name, default, meaning=meaning)
    try:
        ZoneInfo(found)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise WrongSetting(f"{name} is {found!r}; a time zone such as UTC or Europe/Berlin is needed. Correct or unset it.") from None
    return found


def currencies(name: str, *, meaning: str) -> dict[str, Currency]:
    """`EUR=0.92,JPY=151.3`, by code."""
    try:
        return read_rates(text(name, meaning=meaning))
    except WrongRate as error:
        raise WrongSetting(
            f"{name} {error}; how many units one US dollar is, as in EUR=0.92,JPY=151.3, is needed, each code once. Correct or unset it."
        ) from None


def day(name: str, *, meaning: str) -> date | None:
    raw = text(name, meaning=meaning)
    _converted(name, raw or "2000-01-01", date.fromisoformat, "a day such as 2026-11-21")
    return date.fromisoformat(raw) if raw else None


def networks(name: str, default: str = "", *, meaning: str) -> list[str]:
    """Ranges of addresses, as CIDR."""
    found = words(name, default, meaning=meaning)
    for word in found:
        try:
            ip_network(word, strict=False)
        except ValueError:
            raise WrongSetting(f"{name} holds {word!r}; ranges such as 10.0.0.0/8 are needed. Correct or unset it.") from None
    return found


def header(name: str, *, meaning: str) -> RequiredHeader | None:
    """`Name: value`; of the value only the hash is kept."""
    raw = text(name, secret=True, meaning=meaning)
    try:
        return header_line(raw) if raw else None
    except WrongHeader as error:
        raise WrongSetting(f"{name} cannot be used: {error} Write it as `X-Runner-Secret: value`, or unset it.") from None


def folder(name: str, default: Path, *, meaning: str) -> Path:
    return _absolute(name, text(name, str(default), meaning=meaning))


def folder_or_none(name: str, *, meaning: str) -> Path | None:
    raw = text(name, meaning=meaning)
    return _absolute(name, raw) if raw else None


def _absolute(name: str, raw: str) -> Path:
    path = Path(raw).expanduser()
    if not path.is_absolute():
        raise WrongSetting(
            f"{name} is {str(path)!r}; an absolute path is needed, or the folder would change with the place you start from."
        )
    return path
