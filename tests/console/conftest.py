"""The cast of the permission tests, made once a module: whatever a test does with it is undone with the test."""

from collections.abc import Iterator
from copy import deepcopy

import pytest
from django.apps import apps
from django.db import transaction
from django.utils.translation import deactivate
from pytest_django import DjangoDbBlocker

from console.apps import ConsoleConfig
from console.live.hub import Hub
from tests.console.permissions.cast import Cast, make_cast


@pytest.fixture(scope="module")
def shared_cast(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Cast]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield make_cast()
        transaction.set_rollback(True)


@pytest.fixture
def cast(shared_cast: Cast, db: None) -> Cast:
    """Each test's own transaction lies within that of the module."""
    return deepcopy(shared_cast)


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """A page leaves its reader's language to the thread that made it."""
    yield
    deactivate()


@pytest.fixture(autouse=True)
def live(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A process that has shown nobody anything yet."""
    hub = Hub()
    monkeypatch.setattr(ConsoleConfig, "live", hub, raising=False)
    monkeypatch.delattr(apps.get_app_config("console"), "live")
    return hub
