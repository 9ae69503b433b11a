"""Where references lead: the environment, files, AWS Secrets Manager, Vault.

What comes from afar is remembered and read again off the path; while its source is away, the last that was read stays.
"""

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from routing.aws_secrets import AwsSecrets
from routing.references import (
    CredentialUnusable,
    Reference,
    Rules,
    SecretMissing,
    SourceAway,
    check,
    check_path,
    path_of,
    picked,
)
from routing.vault_secrets import VaultSecrets

logger = logging.getLogger(__name__)

KEPT_S = 300.0
# How long a source that could not be reached is left alone, so that nobody waits for it twice in a row.
AWAY_S = 30.0
MAX_FILE_BYTES = 64 * 1024


class Store(Protocol):
    """A place of secrets that is asked over the network; raises CredentialUnusable."""

    def read(self, reference: Reference) -> str: ...


Opener = Callable[[Mapping[str, str]], Store]
STORES: Mapping[str, Opener] = {"aws-sm": AwsSecrets, "vault": VaultSecrets}


@dataclass(slots=True)
class _Known:
    """What the last look at a distant secret gave. `text` outlives failures."""

    due_at: float
    text: str | None = field(default=None, repr=False)
    problem: str = ""
    failure: type[CredentialUnusable] = CredentialUnusable
    is_in_use: bool = True


class SecretSources:
    """Follows references. Shared by the threads that load and that renew: they may both fetch a secret, and do no harm by it."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        *,
        clock: Callable[[], float] = time.monotonic,
        stores: Mapping[str, Opener] = STORES,
    ) -> None:
        self._environment = environment
        self._clock = clock
        self._openers = stores
        self._stores: dict[str, Store] = {}
        self._opening = threading.Lock()
        self._known: dict[Reference, _Known] = {}
        self._away: dict[str, tuple[float, str]] = {}

    def read(self, reference: Reference, rules: Rules) -> str:
        """The secret; raises CredentialUnusable. Only the first look at a distant one waits for it."""
        check(reference, rules)
        if reference.kind == "env":
            return self._variable(reference)
        if reference.kind == "file":
            return read_file(reference, rules)
        return picked(self._remembered(Reference(reference.kind, reference.name, region=reference.region)), reference).strip()

    def refresh(self) -> bool:
        """Reads again what is due, and says whether anything has changed. Waits for the network: never on the loop."""
        now = self._clock()
        due = [(reference, known) for reference, known in list(self._known.items()) if now >= known.due_at]
        changed = [self._look_again(reference, known) for reference, known in due]
        return any(changed)

    def forget_unused(self) -> None:
        """Drops what nobody has read since the last time that this was called."""
        self._known = {reference: known for reference, known in list(self._known.items()) if known.is_in_use}
        for known in self._known.values():
            known.is_in_use = False

    def problems(self) -> dict[str, str]:
        """Distant references that cannot be read now, with the reason."""
        return {str(reference): known.problem for reference, known in list(self._known.items()) if known.problem}

    def _variable(self, reference: Reference) -> str:
        found = self._environment.get(reference.name, "").strip()
        if not found:
            raise SecretMissing(f"{reference} refers to an environment variable that is not set.")
        return found

    def _remembered(self, reference: Reference) -> str:
        known = self._known.get(reference)
        if known is None or (known.text is None and self._clock() >= known.due_at):
            known = _Known(self._clock())
            self._look_again(reference, known)
            self._known[reference] = known
        known.is_in_use = True
        if known.text is None:
            raise known.failure(known.problem)
        return known.text

    def _look_again(self, reference: Reference, known: _Known) -> bool:
        before = known.text
        try:
            known.text = self._fetch(reference)
        except CredentialUnusable as error:
            if before is not None and not known.problem:
                fields = {"reference": str(reference), "problem": str(error)}
                logger.warning("a stored secret cannot be read again; the last one stays", extra={"fields": fields})
            known.problem, known.failure = str(error), type(error)
            known.due_at = self._clock() + AWAY_S
            return False
        known.problem = ""
        known.due_at = self._clock() + KEPT_S
        return known.text != before

    def _fetch(self, reference: Reference) -> str:
        until, problem = self._away.get(reference.kind, (0.0, ""))
        if problem and self._clock() < until:
            raise SourceAway(problem)
        try:
            return self._store(reference.kind).read(reference)
        except SourceAway as error:
            self._away[reference.kind] = (self._clock() + AWAY_S, str(error))
            raise

    def _store(self, kind: str) -> Store:
        with self._opening:
            if kind not in self._stores:
                self._stores[kind] = self._openers[kind](self._environment)
            return self._stores[kind]


def read_file(reference: Reference, rules: Rules) -> str:
    """A file's text without the line end that editors put there; raises CredentialUnusable. Where links lead is checked as well."""
    try:
        path = path_of(reference, rules).resolve(strict=True)
        if not rules.is_ours:
            check_path(path, reference, _resolved(rules))
        return _content(path, reference)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it leads nowhere"
        raise SecretMissing(f"{reference} cannot be read: {reason}.") from None
    except UnicodeDecodeError:
        raise SecretMissing(f"{reference} is no text.") from None


def _resolved(rules: Rules) -> Rules:
    folders = [folder.resolve() if folder else None for folder in (rules.folder, rules.home)]
    return Rules(is_operators=rules.is_operators, folder=folders[0], home=folders[1])


def _content(path: Path, reference: Reference) -> str:
    # Not waiting, for a pipe under that name would never open.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise SecretMissing(f"{reference} is no ordinary file.")
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise SecretMissing(f"{reference} is larger than {MAX_FILE_BYTES // 1024} KB; that is no key.")
    text = content.decode().strip()
    if not text:
        raise SecretMissing(f"{reference} is empty.")
    return text
