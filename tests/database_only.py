"""Pytest plugin (`-p tests.database_only`): keeps the tests whose outcome depends on PostgreSQL or Redis, drops the others."""

import pytest

DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "django_db_serialized_rollback", "live_server"}


def needs_servers(item: pytest.Item) -> bool:
    fixtures: set[str] = set(getattr(item, "fixturenames", ()))
    return any(item.get_closest_marker(name) for name in ("services", "django_db")) or bool(fixtures & DATABASE_FIXTURES)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    dropped = [item for item in items if not needs_servers(item)]
    items[:] = [item for item in items if needs_servers(item)]
    config.hook.pytest_deselected(items=dropped)
