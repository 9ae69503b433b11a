"""Generated secrets: made once, private, never silently replaced."""

import stat
from pathlib import Path

import pytest

from gateway_project.env import WrongSetting
from gateway_project.first_run import MAKERS, load_secrets, secrets_file, write_private


def test_secrets_are_made_once(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    assert set(load_secrets(home)) == set(MAKERS)
    assert load_secrets(home) == load_secrets(home)


def test_secrets_and_their_folder_are_private(tmp_path: Path) -> None:
    home = tmp_path / "home"
    load_secrets(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE(secrets_file(home).stat().st_mode) == 0o600


def test_nothing_but_the_secrets_is_left_behind(tmp_path: Path) -> None:
    load_secrets(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.env"]


def test_damaged_secrets_stop_the_start_instead_of_being_made_anew(tmp_path: Path) -> None:
    secrets_file(tmp_path).write_text("TALLYGATE_MASTER_KEY=sk-old\n")
    with pytest.raises(WrongSetting, match="holds no TALLYGATE_DJANGO_SECRET"):
        load_secrets(tmp_path)


def test_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(WrongSetting, match="TALLYGATE_HOME"):
        load_secrets(tmp_path / "home")


def test_write_private_keeps_an_existing_file_unless_told_to_replace(tmp_path: Path) -> None:
    path = tmp_path / "note"
    assert write_private(path, "first", replace=False)
    assert not write_private(path, "second", replace=False)
    assert path.read_text() == "first"
    assert write_private(path, "third", replace=True)
    assert path.read_text() == "third"
