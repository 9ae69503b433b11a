"""The page's doctor is the command line's."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import Settings

from audit.rows import ChangeRefused
from audit.trail import SYSTEM
from gateway_project import celery
from gateway_project.installation import Installation
from tests.factories import make_deployment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = ""
    monkeypatch.setattr(celery, "IS_EMBEDDED", True)


def test_findings_are_those_of_the_command_line() -> None:
    make_deployment()
    out = StringIO()
    call_command("doctor", "--json", stdout=out)
    told = [(line["what"], line["is_ok"], line["is_note"]) for line in json.loads(out.getvalue())]
    assert [(line.what, line.is_ok, line.is_note) for line in Installation().everything(SYSTEM)] == told


def test_findings_at_hand_are_some_of_them() -> None:
    make_deployment()
    whole = [line.what for line in Installation().everything(SYSTEM)]
    assert [line.what for line in Installation().at_hand()] == [
        what for what in whole if what != "background work" and not what.startswith("deployment")
    ]


def test_second_round_within_a_minute_is_refused() -> None:
    Installation().everything(SYSTEM)
    with pytest.raises(ChangeRefused, match="less than a minute ago"):
        Installation().everything(SYSTEM)
