"""What is measured: each target starts afresh, alone on its core, in front of the same upstream."""

import json
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
from typing import Any

from bench import baseline as baseline_gateway
from bench.bodies import MODELS, PREFIX
from bench.processes import running

HOST = "127.0.0.1"
_START_TIMEOUT_S = 90.0
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
def baseline(place: Place) -> Iterator[Running]:
    port, log = free_port(), place.home / "baseline.log"
    command = [sys.executable, "-c", f"from bench.baseline import run; run({port})"]
    with running(command, core=place.core, log=log, env={"BENCH_UPSTREAM": place.upstream, "PYTHONPATH": str(_HERE.parent)}) as process:
        wait_until_open(port, process, log)
        yield Running(port, process.pid, baseline_gateway.KEY)


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


def _issue_key(port: int, place: Place) -> str:
    body = {"key_alias": f"bench-{secrets.token_hex(4)}", "max_budget": 1_000_000, "rpm_limit": 100_000_000, "tpm_limit": 100_000_000_000}
    request = urllib.request.Request(
        f"http://{HOST}:{port}/key/generate",
        data=json.dumps(body).encode(),
        headers={"authorization": f"Bearer {place.master_key}", "content-type": "application/json"},
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
            answer: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        raise Unavailable(f"POST /key/generate answered {error.code}") from error
    return str(answer["key"])


@contextmanager
def tallygate(place: Place) -> Iterator[Running]:
    program = Path(sys.executable).with_name("tallygate")
    if not program.exists():
        raise Unavailable("the tallygate command is not installed beside this Python")
    port, log, config = free_port(), place.home / "tallygate.log", place.home / "config.yaml"
    config.write_text(_config(place))
    command = [str(program), "serve", "--port", str(port), "--no-background", "--config", str(config)]
    env = {"TALLYGATE_HOME": str(place.home / "tallygate"), "TALLYGATE_MASTER_KEY": place.master_key}
    with running(command, core=place.core, log=log, env=env) as process:
        wait_until_open(port, process, log)
        yield Running(port, process.pid, _issue_key(port, place))


TARGETS: dict[str, Callable[[Place], AbstractContextManager[Running]]] = {
    "direct": direct,
    "nginx": nginx,
    "baseline": baseline,
    "tallygate": tallygate,
}
