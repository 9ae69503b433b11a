"""The cast of the permission tests, made once a module: whatever is done with it is undone."""

from collections.abc import Iterator
from copy import deepcopy

import pytest
from pytest_django import DjangoDbBlocker

from tests.console.permission_cast import Cast, make_cast, undone


@pytest.fixture(scope="module")
def shared_cast(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Cast]:
    with django_db_blocker.unblock(), undone():
        yield make_cast()


@pytest.fixture
def db() -> None:
    """By this name pytest-django knows that a test needs a database; the transaction is that of the cast."""


@pytest.fixture
def cast(db: None, shared_cast: Cast) -> Iterator[Cast]:
    with undone():
        yield deepcopy(shared_cast)
