"""`tallygate serve` as a process: what it prints, refuses, keeps and how it ends."""

import signal
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.core.management.base import CommandError

from gateway_project.background import Background
from gateway_project.celery import app
from gateway_project.management.commands.serve import bound_socket, check_options
from tests.gateway_project.running import ASK, BOUND_S, MASTER, Serving, until


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serve") / "home"


@pytest.fixture(scope="module")
def serving(home: Path) -> Iterator[Serving]:
    """A first start that several tests look at."""
    running = Serving(home, "--no-background")
    yield running
    running.stop()


def test_first_start_answers(serving: Serving) -> None:
    assert serving.lines[-1].startswith(f"Tallygate answers at http://127.0.0.1:{serving.port} ")
    assert httpx.get(f"http://127.0.0.1:{serving.port}/health/liveliness").status_code == 200


def test_first_start_without_a_terminal_prints_only_where_the_secrets_are(serving: Serving, home: Path) -> None:
    assert serving.lines[0] == f"First start: address, sign-in link and keys are in {home}/first-run.txt\n"
    assert len(serving.lines) == 2
    assert "sk-" not in "".join(serving.lines)


def test_file_of_the_first_start_is_private_and_connects_claude_code(serving: Serving, home: Path) -> None:
    path = home / "first-run.txt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"export ANTHROPIC_BASE_URL=http://127.0.0.1:{serving.port}\n    export ANTHROPIC_AUTH_TOKEN=sk-" in path.read_text()


def test_everything_in_the_home_is_private(serving: Serving, home: Path) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in home.rglob("*")} == {0}


def test_second_server_on_one_home_is_refused(serving: Serving, home: Path) -> None:
    code, told = Serving(home).stop()
    assert code == 1
    assert f"another `tallygate serve` already runs on {home}" in told


def test_port_in_use_is_one_line(serving: Serving, tmp_path: Path) -> None:
    code, told = Serving(tmp_path / "other", port=serving.port).stop()
    assert code == 1
    assert told.startswith(f"manage.py: cannot listen on 127.0.0.1 port {serving.port}: Address already in use.")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"workers": 0}, "1 or more is needed"),
        ({"workers": 2}, "--workers 2 needs stores that all of them share.*DATABASE_URL.*PostgreSQL.*REDIS_URL"),
        ({"port": 70_000}, "ports go from 1 to 65535"),
        ({"tls_cert": Path("x.pem")}, "--tls-cert and --tls-key belong together"),
        ({"tls_cert": Path("x.pem"), "tls_key": Path("y.pem")}, "--tls-cert x.pem or --tls-key y.pem cannot be read: No such file"),
        ({"tls_cert": Path(__file__), "tls_key": Path(__file__)}, "--tls-cert and --tls-key do not fit together"),
    ],
)
def test_options_that_cannot_work_are_refused(changed: dict[str, object], expected: str) -> None:
    with pytest.raises(CommandError, match=expected):
        check_options({"workers": 1, "port": 4000, "tls_cert": None, "tls_key": None} | changed)


def test_host_that_does_not_exist_is_refused() -> None:
    with pytest.raises(CommandError, match=r"cannot listen on no.such.host.invalid port 4000"):
        bound_socket("no.such.host.invalid", 4000)


def test_config_is_applied_remembered_and_its_unknown_keys_named_once(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("model_list: [{model_name: mine, litellm_params: {model: demo/x}}]\nlitellm_settings: {drop_params: true}\n")
    code, told = Serving(tmp_path / "home", "--config", str(config)).stop()
    assert code == 0
    assert told.count("litellm_settings.drop_params") == 1
    assert (tmp_path / "home" / "config.path").read_text() == f"{config}\n"
    again = Serving(tmp_path / "home", "--no-background")
    assert "litellm_settings.drop_params" in again.stop()[1]
    assert len(again.lines) == 1


def test_server_with_background_work_drains_and_ends_with_0(tmp_path: Path) -> None:
    running = Serving(tmp_path / "home")
    running.hear("background work started")
    code, told = running.stop()
    assert code == 0
    assert "cut off" not in told


def test_readiness_says_no_while_calls_are_still_taken_before_the_listening_ends(tmp_path: Path) -> None:
    running = Serving(tmp_path / "home", "--no-background", TALLYGATE_DRAIN_GRACE_S="60", TALLYGATE_MASTER_KEY=MASTER)
    assert running.get("/health/readiness") == 200
    running.send(signal.SIGTERM)
    until(lambda: running.get("/health/readiness") == 503)
    assert (running.get("/health/liveliness"), running.ask()) == (200, 200)
    assert running.stop()[0] == 0


def test_stream_that_outlasts_the_drain_ends_in_words_and_is_settled(tmp_path: Path) -> None:
    running = Serving(tmp_path / "home", "--no-background", TALLYGATE_DRAIN_S="1", TALLYGATE_MASTER_KEY=MASTER)
    body = ASK | {"model": "demo-stall", "stream": True}
    with httpx.stream("POST", f"{running.url}/v1/messages", json=body, headers={"x-api-key": MASTER}, timeout=BOUND_S) as answer:
        pieces = answer.iter_text()
        begun = next(pieces)
        running.send(signal.SIGTERM)
        ended = "".join(pieces)
    assert (begun[:20], ended[:12]) == ("event: message_start", "event: error")
    assert "The gateway is stopping." in ended
    assert running.end()[0] == 0
    with sqlite3.connect(tmp_path / "home" / "tallygate.sqlite3") as database:
        assert database.execute("SELECT kind, is_estimated FROM billing_ledgerentry").fetchall() == [("base", 1)]


def test_secrets_are_in_no_log_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    told = Serving(home, "--no-background").stop()[1]
    secrets = [line.partition("=")[2] for line in (home / "secrets.env").read_text().splitlines() if "=" in line]
    assert len(secrets) == 3
    assert not [secret for secret in secrets if secret in told]


@pytest.fixture
def heard() -> Iterator[threading.Event]:
    """A task of the embedded worker that only tells that it ran."""
    event = threading.Event()

    @app.task(name="tests.heard")
    def hear() -> None:
        event.set()

    yield event
    app.tasks.unregister("tests.heard")


def test_embedded_worker_runs_tasks_and_stops_in_time(heard: threading.Event) -> None:
    background = Background(lambda: True)
    background.start()
    assert background.running.wait(BOUND_S)
    app.tasks["tests.heard"].delay()
    assert heard.wait(BOUND_S)
    assert background.stop()


def test_background_work_waits_until_the_server_answers() -> None:
    asked = threading.Event()

    def is_ready() -> bool:
        asked.set()
        return False

    background = Background(is_ready)
    background.start()
    assert asked.wait(BOUND_S)
    assert background.stop()
    assert not background.running.is_set()
