"""What keeps provider keys alive between loads: each Access is opened once and renewed from a thread, distant secrets are read again.

A reload asks for the same Access and gets it, so tokens outlive reloads. Nothing here runs on the event loop.
"""

import hashlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from routing.providers.base import Access, Provider
from routing.secret_sources import SecretSources
from routing.snapshot import DeploymentSnapshot

logger = logging.getLogger(__name__)

ROUND_S = 15.0
# A start waits so long for first tokens; those that take longer come when they come.
FIRST_TOKENS_S = 5.0
WORKERS = 8
STOP_S = 2.0

Key = tuple[object, ...]
Job = Callable[[], None]


@dataclass(slots=True, eq=False)
class _Opened:
    access: Access | None
    is_in_use: bool = True
    is_new: bool = True
    _renewing: threading.Lock = field(default_factory=threading.Lock)

    def renew(self) -> None:
        """At most once at a time: one that hangs must not gather others behind it."""
        if self.access is None or not self._renewing.acquire(blocking=False):
            return
        try:
            self.access.renew()
        finally:
            self._renewing.release()


class Renewal:
    """Shared by the loading of routes, which takes Accesses from here, and by the thread that renews them."""

    def __init__(self, sources: SecretSources | None = None, *, round_s: float = ROUND_S, first_tokens_s: float = FIRST_TOKENS_S) -> None:
        self.sources = sources or SecretSources()
        self._round_s = round_s
        self._first_tokens_s = first_tokens_s
        self._opened: dict[Key, _Opened] = {}
        self._changed: Callable[[], None] = lambda: None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # ── for loading
    def access(self, provider: Provider, fields: Mapping[str, str], deployment: DeploymentSnapshot) -> Access | None:
        """The Access of this secret for what the deployment needs of it; raises NotServed when the fields do not make one."""
        if provider.open is None:
            return None
        key = _key(fields, deployment)
        known = self._opened.get(key)
        if known is None:
            known = _Opened(provider.open(fields, deployment))
            self._opened = {**self._opened, key: known}
        known.is_in_use = True
        return known.access

    def settle(self) -> None:
        """The end of a load: forgets what it did not ask for, and waits a little for the first tokens of what is new."""
        self._opened = {key: one for key, one in self._opened.items() if one.is_in_use}
        fresh = [one for one in self._opened.values() if one.is_new]
        for one in self._opened.values():
            one.is_in_use = one.is_new = False
        self.sources.forget_unused()
        _in_threads([one.renew for one in fresh], self._first_tokens_s)

    # ── the thread
    def start(self, changed: Callable[[], None]) -> None:
        """`changed` is called, in a thread of ours, when a secret has become another: the snapshot is to be loaded again."""
        self._changed = changed
        self._thread = threading.Thread(target=self._run, name="renewal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def work(self) -> None:
        """One round: renews what is due, reads distant secrets again."""
        _in_threads([self._read_again, *(one.renew for one in self._opened.values())], self._round_s)

    def _run(self) -> None:
        while not self._stop.wait(self._round_s):
            self.work()

    def _read_again(self) -> None:
        if self.sources.refresh():
            logger.info("a stored secret has changed; routes are loaded again")
            self._changed()


def _key(fields: Mapping[str, str], deployment: DeploymentSnapshot) -> Key:
    """What an Access may depend on: neither the model nor limits, so that deployments of one account share their tokens."""
    resolved = hashlib.sha256(json.dumps(sorted(fields.items())).encode()).digest()
    place = (deployment.provider, deployment.base_url, deployment.region, deployment.project, deployment.api, deployment.api_version)
    return (deployment.credential_id, *place, deployment.is_operators, resolved)


def _in_threads(jobs: list[Job], limit_s: float) -> None:
    """Runs the jobs a few at a time and returns when all are done or the time is up; then they go on alone.

    In threads that end with the process, so that a provider's token service that hangs holds up neither a stop nor the other jobs.
    """
    if not jobs:
        return
    waiting = deque(jobs)

    def work() -> None:
        while waiting:
            try:
                job = waiting.popleft()
            except IndexError:
                return
            job()

    workers = [threading.Thread(target=work, name="renewing", daemon=True) for _ in range(min(WORKERS, len(jobs)))]
    for worker in workers:
        worker.start()
    end = time.monotonic() + limit_s
    for worker in workers:
        worker.join(max(0.0, end - time.monotonic()))
