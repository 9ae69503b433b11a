"""Secrets that the first start makes for itself: `secrets.env` in TALLYGATE_HOME, mode 0600. The environment always wins over the file."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet

from gateway_project.env import WrongSetting

MAKERS: dict[str, Callable[[], str]] = {
    "TALLYGATE_DJANGO_SECRET": lambda: secrets.token_urlsafe(50),
    "TALLYGATE_SECRET_KEYS": lambda: Fernet.generate_key().decode(),
    "TALLYGATE_MASTER_KEY": lambda: "sk-master-" + secrets.token_urlsafe(24),
}
HEAD = "# Made by Tallygate's first start. Keep it private and keep a copy: without it stored credentials cannot be read.\n"


def secrets_file(home: Path) -> Path:
    return home / "secrets.env"


def _parse(text: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def write_private(path: Path, text: str, *, replace: bool) -> bool:
    """Writes a file of mode 0600 whole or not at all. Without `replace` an existing file stays and False comes back."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    try:
        if replace:
            draft.replace(path)
        else:
            os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def load_secrets(home: Path) -> dict[str, str]:
    """The generated secrets, made where they are missing. Two processes starting at once end with the same values."""
    path = secrets_file(home)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            write_private(path, HEAD + "".join(f"{name}={make()}\n" for name, make in MAKERS.items()), replace=False)
        found = _parse(path.read_text())
    except OSError as error:
        raise WrongSetting(
            f"{error.filename} cannot be used: {error.strerror}. Correct its permissions, or set TALLYGATE_HOME to another folder."
        ) from None
    missing = sorted(name for name in MAKERS if not found.get(name))
    if missing:
        raise WrongSetting(f"{path} holds no {missing[0]}. Put the file back from your copy: without it stored credentials cannot be read.")
    return found
