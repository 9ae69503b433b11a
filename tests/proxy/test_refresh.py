"""Configuration in force: what cannot be read changes nothing."""

import asyncio

import pytest
from django.db import OperationalError

from proxy import refresh
from proxy.limits import Limits
from proxy.plane import Plane
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import plane_of, post


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


async def load(plane: Plane) -> None:
    await asyncio.to_thread(refresh.Refresher(plane, "sk-master", lambda book: None)._refresh, force=True)


@pytest.mark.parametrize("step", ["load_keys", "load_prices", "load_budgets", "load_routes"])
def test_configuration_that_cannot_be_read_leaves_the_last_good_one(
    rig: Rig, step: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """R78: as a whole, however far the reading came; and the administrator is told."""

    def away(*_: object) -> None:
        raise OperationalError

    before = plane_of(rig).snapshot
    for name in ("load_keys", "load_prices", "load_budgets", "load_routes"):
        monkeypatch.setattr(refresh, name, lambda *_: None)
    monkeypatch.setattr(refresh, step, away)
    monkeypatch.setattr("audit.trail.version", lambda: before.version + 1)
    asyncio.run(load(plane_of(rig)))
    assert plane_of(rig).snapshot is before
    assert "the last good one stays" in caplog.text
    assert post(rig).status_code == 200


def test_row_that_nobody_foresaw_leaves_the_last_good_configuration(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """R78: and the next look finds what was mended."""

    def odd(*_: object) -> None:
        raise ValueError("a network of no form")

    before = plane_of(rig).snapshot
    monkeypatch.setattr(refresh, "load_keys", odd)
    monkeypatch.setattr("audit.trail.version", lambda: before.version + 1)
    asyncio.run(load(plane_of(rig)))
    assert plane_of(rig).snapshot is before
    assert "the last good one stays" in caplog.text
