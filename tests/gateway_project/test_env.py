"""Readers of the environment, and the page that documents every setting they read."""

import re
from pathlib import Path

import pytest

from gateway_project import celery, env
from gateway_project.env import WrongSetting

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> dict[str, env.Reading]:
    own: dict[str, env.Reading] = {}
    monkeypatch.setattr(env, "READINGS", own)
    return own


@pytest.mark.parametrize("value", ["yes", "TRUE", "1", "on"])
def test_flag_reads_yes(monkeypatch: pytest.MonkeyPatch, readings: object, value: str) -> None:
    monkeypatch.setenv("SETTING", value)
    assert env.flag("SETTING", default=False, meaning="")


@pytest.mark.parametrize("value", ["maybe", "2", "ja"])
def test_flag_refuses_other_words_with_name_and_fix(monkeypatch: pytest.MonkeyPatch, readings: object, value: str) -> None:
    monkeypatch.setenv("SETTING", value)
    with pytest.raises(WrongSetting, match=r"SETTING is .*; yes or no is needed"):
        env.flag("SETTING", default=True, meaning="")


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "ten", "1e13"])
def test_number_refuses_what_cannot_be_an_amount(monkeypatch: pytest.MonkeyPatch, readings: object, value: str) -> None:
    monkeypatch.setenv("SETTING", value)
    with pytest.raises(WrongSetting, match="SETTING"):
        env.number("SETTING", 1, meaning="")


@pytest.mark.parametrize("value", ["1.5", "-3", "x"])
def test_whole_refuses_fractions_and_negatives(monkeypatch: pytest.MonkeyPatch, readings: object, value: str) -> None:
    monkeypatch.setenv("SETTING", value)
    with pytest.raises(WrongSetting, match="a whole number"):
        env.whole("SETTING", 1, meaning="")


def test_relative_folder_is_refused(monkeypatch: pytest.MonkeyPatch, readings: object) -> None:
    monkeypatch.setenv("SETTING", "var")
    with pytest.raises(WrongSetting, match="absolute path"):
        env.folder("SETTING", Path("/srv"), meaning="")


def test_empty_value_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, readings: dict[str, env.Reading]) -> None:
    monkeypatch.setenv("SETTING", "  ")
    assert env.text("SETTING", "fallback", meaning="") == "fallback"
    assert readings["SETTING"].source == "default"


def test_secret_is_never_kept_for_showing(monkeypatch: pytest.MonkeyPatch, readings: dict[str, env.Reading]) -> None:
    monkeypatch.setenv("SETTING", "sk-very-private")
    env.text("SETTING", secret=True, meaning="")
    assert (readings["SETTING"].shown, readings["SETTING"].source) == ("set", "environment")


def test_name_that_no_reader_asked_for_is_found(monkeypatch: pytest.MonkeyPatch, readings: object) -> None:
    monkeypatch.setenv("TALLYGATE_PUBLICURL", "http://gateway.test")
    assert "TALLYGATE_PUBLICURL" in env.unread()


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", DOCS.read_text(), re.MULTILINE))
    assert celery.BROKER_URL == ""
    assert documented == set(env.READINGS)


def test_choice_takes_its_words_in_any_case(monkeypatch: pytest.MonkeyPatch, readings: object) -> None:
    monkeypatch.setenv("SETTING", "Current")
    assert env.choice("SETTING", "classic", ("classic", "current"), meaning="") == "current"


def test_choice_refuses_other_words_with_name_and_fix(monkeypatch: pytest.MonkeyPatch, readings: object) -> None:
    monkeypatch.setenv("SETTING", "1.78")
    with pytest.raises(WrongSetting, match=r"SETTING is '1.78'; classic or current is needed"):
        env.choice("SETTING", "classic", ("classic", "current"), meaning="")


def test_time_zone_is_one_that_there_is(monkeypatch: pytest.MonkeyPatch, readings: object) -> None:
    assert env.time_zone("SETTING", "UTC", meaning="") == "UTC"
    for wrong in ("Mars", "America", "../UTC"):
        monkeypatch.setenv("SETTING", wrong)
        with pytest.raises(WrongSetting, match=f"SETTING is '{wrong}'; a time zone such as UTC"):
            env.time_zone("SETTING", "UTC", meaning="")


def test_currencies_are_read_exactly(monkeypatch: pytest.MonkeyPatch, readings: object) -> None:
    monkeypatch.setenv("SETTING", "EUR=0.92,JPY=151.3")
    assert [(one.code, one.rate, one.places) for one in env.currencies("SETTING", meaning="").values()] == [
        ("EUR", 92, 2),
        ("JPY", 1513, 1),
    ]


@pytest.mark.parametrize("value", ["EUR", "EUR=0", "USD=1", "EUR=1,EUR=2", "EUR=1e3"])
def test_currencies_refuse_what_is_no_rate_with_name_and_fix(monkeypatch: pytest.MonkeyPatch, readings: object, value: str) -> None:
    monkeypatch.setenv("SETTING", value)
    with pytest.raises(WrongSetting, match=r"SETTING (holds|names) .*; how many units one US dollar is, as in EUR=0\.92,JPY=151\.3"):
        env.currencies("SETTING", meaning="")


def test_day_is_one_of_the_calendar(monkeypatch: pytest.MonkeyPatch, readings: object) -> None:
    assert env.day("SETTING", meaning="") is None
    monkeypatch.setenv("SETTING", "2026-02-30")
    with pytest.raises(WrongSetting, match="SETTING is '2026-02-30'; a day such as 2026-11-21 is needed"):
        env.day("SETTING", meaning="")
