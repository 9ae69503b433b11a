"""DATABASE_URL in all its forms."""

from pathlib import Path

import pytest

from gateway_project.databases import IDLE_LIMIT, NO_COMPILING, PATIENCE, databases
from gateway_project.env import WrongSetting


def test_default_is_two_sqlite_files_in_the_home(tmp_path: Path) -> None:
    found = databases("", tmp_path)
    assert found["default"]["NAME"] == tmp_path / "tallygate.sqlite3"
    assert found["bodies"]["NAME"] == tmp_path / "bodies.sqlite3"


def test_relative_sqlite_file_lies_in_the_home(tmp_path: Path) -> None:
    found = databases("sqlite:///litellm.db", tmp_path)
    assert found["default"]["NAME"] == tmp_path / "litellm.db"
    assert found["bodies"]["NAME"] == tmp_path / "litellm.bodies.db"


def test_four_slashes_make_an_absolute_sqlite_file(tmp_path: Path) -> None:
    assert databases(f"sqlite:///{tmp_path}/x.db", Path("/nowhere"))["default"]["NAME"] == tmp_path / "x.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://host/file.db"])
def test_sqlite_without_a_file_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(WrongSetting, match="names no file"):
        databases(url, tmp_path)


def test_sqlite_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="which is not a folder"):
        databases("sqlite:///data/x.db", tmp_path)


def test_postgres_address_is_taken_apart(tmp_path: Path) -> None:
    found = databases("postgresql://me:p%40ss@db.test:5433/gate?sslmode=require", tmp_path)
    assert set(found) == {"default"}
    parts = found["default"]
    assert (parts["NAME"], parts["USER"], parts["PASSWORD"], parts["HOST"], parts["PORT"]) == ("gate", "me", "p@ss", "db.test", "5433")
    assert parts["OPTIONS"] == {**PATIENCE, "sslmode": "require", "options": f"{IDLE_LIMIT} {NO_COMPILING}"}


def test_prisma_parameters_of_litellm_addresses_are_dropped(tmp_path: Path) -> None:
    url = "postgres://me@db.test/gate?connection_limit=10&pool_timeout=60&schema=llm&connect_timeout=5"
    assert databases(url, tmp_path)["default"]["OPTIONS"] == {**PATIENCE, "options": f"{IDLE_LIMIT} {NO_COMPILING} -c search_path=llm"}


@pytest.mark.parametrize("url", ["mysql://me:hidden@db.test/x", "postgresql://me:hidden@db.test:port/x", "postgresql://me:hidden@db.test"])
def test_unusable_address_is_refused_without_showing_the_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(WrongSetting, match="DATABASE_URL") as caught:
        databases(url, tmp_path)
    assert "hidden" not in str(caught.value)
