"""A PostgreSQL and a Redis of a test's own, which it may stop, kill and start again: those of `.ci/services`, once more."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import redis

from tests.gateway_project.running import BOUND_S, ROOT, until

# Says where the two are, and lives as long as its input.
TELL = "import os, sys; print(os.environ['DATABASE_URL'], os.environ['REDIS_URL'], flush=True); sys.stdin.read()"


@dataclass(slots=True)
class Store:
    """One server process, known by its id. `words` start it again; `locks` are files that a killed one leaves behind."""

    pid: int
    words: list[str]
    locks: tuple[Path, ...] = ()
    again: subprocess.Popen[bytes] | None = None
    _stopped: list[int] = field(default_factory=list)
    _folder: Path = field(init=False)
    _program: Path = field(init=False)
    _owner: os.stat_result = field(init=False)

    def __post_init__(self) -> None:
        proc = Path(f"/proc/{self.pid}")
        self._folder, self._program, self._owner = proc.joinpath("cwd").readlink(), proc.joinpath("exe").readlink(), proc.stat()

    def freeze(self) -> None:
        """It and its children say nothing any more, and their connections stay open: as a network that swallows every packet."""
        self._stopped = [self.pid, *self._children()]
        for pid in self._stopped:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        while self._stopped:
            with suppress(ProcessLookupError):
                os.kill(self._stopped.pop(), signal.SIGCONT)

    def kill(self) -> None:
        children = self._children()
        os.kill(self.pid, signal.SIGKILL)
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not any(_is_running(pid) for pid in (self.pid, *children)))

    def start(self) -> None:
        """After a kill: as the user and in the folder that it had."""
        for lock in self.locks:
            lock.unlink()  # the process is gone, but nobody has fetched its exit code yet: a second one would think that it lives
        user, group = (self._owner.st_uid, self._owner.st_gid) if os.getuid() == 0 else (None, None)
        with (self._folder / "again.log").open("wb") as log:
            self.again = subprocess.Popen(
                self.words, executable=self._program, cwd=self._folder, stdout=log, stderr=log, user=user, group=group
            )
        self.pid = self.again.pid

    def restart(self) -> None:
        self.kill()
        self.start()

    def end(self) -> None:
        self.thaw()
        if self.again is not None:
            self.again.send_signal(signal.SIGINT)
            self.again.wait(BOUND_S)

    def _children(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@dataclass(slots=True)
class Stores:
    database_url: str
    redis_url: str
    postgres: Store
    redis: Store

    def postgres_is_up(self) -> bool:
        try:
            psycopg.connect(self.database_url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def redis_is_up(self) -> bool:
        try:
            with redis.Redis.from_url(self.redis_url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def flush_redis(self) -> None:
        with redis.Redis.from_url(self.redis_url) as client:
            client.flushall()


@contextmanager
def own_stores() -> Iterator[Stores]:
    command = [str(ROOT / ".ci/services"), sys.executable, "-c", TELL]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdin and script.stdout
        database_url, redis_url = script.stdout.readline().split()
        folder = parse_qs(urlsplit(database_url).query)["host"][0]
        locks = Path(folder) / "data/postmaster.pid", Path(folder) / ".s.PGSQL.5432.lock"
        pid = int(locks[0].read_text().split()[0])
        program = str(Path(f"/proc/{pid}/exe").readlink())
        postgres = Store(pid, [program, "-D", f"{folder}/data", "-k", folder, "-c", "listen_addresses="], locks)
        with redis.Redis.from_url(redis_url) as client:
            pid = int(client.info("server")["process_id"])
        cache = Store(pid, ["redis-server", "--bind", "127.0.0.1", "--port", str(urlsplit(redis_url).port), "--save", ""])
        found = Stores(database_url, redis_url, postgres, cache)
        try:
            yield found
        finally:
            found.postgres.end()
            found.redis.end()
            script.stdin.close()
            script.wait(BOUND_S)
