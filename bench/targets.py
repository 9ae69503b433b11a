"""What is measured: each target starts afresh, alone on its core, in front of the same upstream."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from bench import baseline as baseline_gateway
from bench.bodies import MODELS, PREFIX
from bench.processes import cores, running

HOST = "127.0.0.1"
_START_TIMEOUT_S = 90.0
_ANSWERS = 20
_HERE = Path(__file__).parent


class Unavailable(Exception):
    """The target cannot run here; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where targets live for one run of the benchmark."""

    home: Path
    core: int
    upstream_port: int
    master_key: str = field(default_factory=lambda: f"sk-bench-{secrets.token_hex(16)}", repr=False)

    @property
    def upstream(self) -> str:
        return f"http://{HOST}:{self.upstream_port}"


@dataclass(frozen=True, slots=True)
class Running:
    port: int
    pid: int
    key: str = field(default="sk-any", repr=False)


def free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last = (log.read_text(errors="replace").splitlines() or ["no output"])[-1]
            raise Unavailable(f"it left with code {process.returncode}: {last}")
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise Unavailable(f"nothing listened within {_START_TIMEOUT_S:.0f} s")


@contextmanager
def direct(place: Place) -> Iterator[Running]:
    yield Running(place.upstream_port, pid=0)


@contextmanager
def nginx(place: Place) -> Iterator[Running]:
    program = shutil.which("nginx")
    if program is None:
        raise Unavailable("nginx is not installed")
    home, port = place.home / "nginx", free_port()
    home.mkdir(exist_ok=True)
    text = (_HERE / "nginx.conf.in").read_text()
    for name, value in {"@DIR@": str(home), "@PORT@": str(port), "@UPSTREAM_PORT@": str(place.upstream_port)}.items():
        text = text.replace(name, value)
    (home / "nginx.conf").write_text(text)
    log = home / "output.log"
    command = [program, "-p", str(home), "-e", str(home / "error.log"), "-c", str(home / "nginx.conf")]
    with running(command, core=place.core, log=log) as process:
        wait_until_open(port, process, log)
        yield Running(port, process.pid)


@contextmanager
def _baseline(place: Place, *, workers: int, allowed: tuple[int, ...]) -> Iterator[Running]:
    port, log = free_port(), place.home / "baseline.log"
    command = [sys.executable, "-c", f"from bench.baseline import run; run({port}, {workers})"]
    env = {"BENCH_UPSTREAM": place.upstream, "PYTHONPATH": str(_HERE.parent)}
    with running(command, core=allowed, log=log, env=env) as process:
        wait_until_open(port, process, log)
        yield Running(port, process.pid, baseline_gateway.KEY)


def baseline(place: Place) -> AbstractContextManager[Running]:
    return _baseline(place, workers=1, allowed=(place.core,))


def baseline_pair(place: Place) -> AbstractContextManager[Running]:
    """Two processes of it, which share the cores with load and upstream as those of postgres do."""
    return _baseline(place, workers=2, allowed=cores())


def _config(place: Place) -> str:
    """LiteLLM's config shape. JSON is YAML."""
    rows = [
        {
            "model_name": PREFIX + model,
            "litellm_params": {"model": f"anthropic/{model}", "api_base": place.upstream, "api_key": "sk-upstream"},
        }
        for model in MODELS
    ]
    return json.dumps({"model_list": rows}, indent=1)


def _issue_key(env: dict[str, str], *, is_limited: bool) -> str:
    command = [sys.executable, "-m", "bench.rows", *(["limited"] if is_limited else [])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=_HERE.parent, env={**os.environ, **env}, check=False)
    if done.returncode:
        raise Unavailable(f"its rows could not be made: {(done.stderr.splitlines() or ['no reason given'])[-1]}")
    return done.stdout.strip()


@contextmanager
def _serving(
    place: Place, name: str, *options: str, is_limited: bool = True, env: dict[str, str] | None = None, allowed: tuple[int, ...] = ()
) -> Iterator[Running]:
    program = Path(sys.executable).with_name("tallygate")
    if not program.exists():
        raise Unavailable("the tallygate command is not installed beside this Python")
    port, log, config = free_port(), place.home / f"{name}.log", place.home / "config.yaml"
    config.write_text(_config(place))
    command = [str(program), "serve", "--port", str(port), "--no-background", "--config", str(config), *options]
    env = {"DATABASE_URL": "", "REDIS_URL": "", **(env or {})}
    env |= {"TALLYGATE_HOME": str(place.home / name), "TALLYGATE_MASTER_KEY": place.master_key, "TALLYGATE_CONFIG": str(config)}
    with running(command, core=allowed or place.core, log=log, env=env) as process:
        wait_until_open(port, process, log)
        key = _issue_key(env, is_limited=is_limited)
        _wait_until_known(port, key)
        yield Running(port, process.pid, key)


def _wait_until_known(port: int, key: str) -> None:
    """Every process reads the new rows within a second or two; several answers in a row come from all of them."""
    request = urllib.request.Request(f"http://{HOST}:{port}/v1/models", headers={"x-api-key": key})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline, answers = time.monotonic() + _START_TIMEOUT_S, 0
    while answers < _ANSWERS and time.monotonic() < deadline:
        try:
            opener.open(request, timeout=5).close()
        except urllib.error.URLError:
            answers = 0
            time.sleep(0.2)
        else:
            answers += 1
    if answers < _ANSWERS:
        raise Unavailable("the key did not become known")


def tallygate(place: Place) -> AbstractContextManager[Running]:
    """One process on SQLite, under hard budgets on four scopes and limits on requests and tokens."""
    return _serving(place, "tallygate")


def plain(place: Place) -> AbstractContextManager[Running]:
    """The same without budgets and limits."""
    return _serving(place, "plain", is_limited=False)


@contextmanager
def _pair(place: Place, name: str, *, is_limited: bool) -> Iterator[Running]:
    """Two processes are for two cores, so these may use both. A database of its own: budgets of everything are not for all targets."""
    addresses = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
    if not all(addresses.values()):
        raise Unavailable("DATABASE_URL and REDIS_URL are not set (.ci/services python -m bench --targets ...)")
    with _database(addresses["DATABASE_URL"], f"bench_{secrets.token_hex(4)}") as url:
        env = {**addresses, "DATABASE_URL": url}
        with _serving(place, name, "--workers", "2", is_limited=is_limited, env=env, allowed=cores()) as started:
            yield started


@contextmanager
def _database(url: str, name: str) -> Iterator[str]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def postgres(place: Place) -> AbstractContextManager[Running]:
    """As tallygate, two processes on PostgreSQL and Redis."""
    return _pair(place, "postgres", is_limited=True)


def postgres_plain(place: Place) -> AbstractContextManager[Running]:
    """The same without budgets and limits."""
    return _pair(place, "postgres-plain", is_limited=False)


TARGETS: dict[str, Callable[[Place], AbstractContextManager[Running]]] = {
    "direct": direct,
    "nginx": nginx,
    "baseline": baseline,
    "baseline-pair": baseline_pair,
    "tallygate": tallygate,
    "plain": plain,
    "postgres": postgres,
    "postgres-plain": postgres_plain,
}
