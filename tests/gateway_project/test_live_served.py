"""The Live page of a gateway that is really served: a browser's sign-in, its socket, calls that move it, and the end of the process."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.gateway_project.running import ASK, BOUND_S, MASTER, ROOT, Serving, Site, own_environment, until

GOING_AWAY = 1012
SLOW = ASK | {"model": "demo-slow"}


class Page:
    """What a browser with the page open knows: each part as it was pushed last."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.parts: dict[str, str] = {}

    def hear(self) -> None:
        self.parts |= json.loads(self.socket.recv(timeout=BOUND_S))["parts"]

    def until(self, part: str, pattern: str) -> None:
        def look() -> bool:
            self.hear()
            return bool(re.search(pattern, self.parts[part]))

        until(look)


def sign_in(serving: Serving, environment: dict[str, str], home: Path) -> str:
    command = [sys.executable, str(ROOT / "manage.py"), "admin", "login-link"]
    told = subprocess.run(command, env=own_environment(home, environment), check=True, capture_output=True, text=True, timeout=BOUND_S)
    with httpx.Client(base_url=serving.url, timeout=BOUND_S) as client:
        client.get(urlsplit(told.stdout.split()[-1]).path, follow_redirects=True)
        return client.cookies["sessionid"]


@contextmanager
def opened(serving: Serving, cookie: str, origin: str = "") -> Iterator[Page]:
    headers = {"cookie": f"sessionid={cookie}", "origin": origin or serving.url}
    address = f"{serving.url.replace('http', 'ws')}/live/socket/?language=en&zone=UTC"
    with connect(address, additional_headers=headers, open_timeout=BOUND_S) as socket:
        yield Page(socket)


def answers(number: int) -> str:
    return rf"\b\d+ of {number} requests?\b"


def refusal(serving: Serving, cookie: str, origin: str = "") -> int:
    with pytest.raises(InvalidStatus) as refused, opened(serving, cookie, origin):
        pass
    return refused.value.response.status_code


def test_live_page_moves_with_the_calls_and_ends_with_the_process(tmp_path: Path) -> None:
    home = tmp_path / "home"
    serving = Serving(home, "--no-background", TALLYGATE_MASTER_KEY=MASTER)
    try:
        cookie = sign_in(serving, {}, home)
        with opened(serving, cookie) as page:
            page.until("numbers", answers(0))
            assert [serving.ask() for _ in range(3)] == [200] * 3
            assert serving.ask("sk-nobody") == 401
            page.until("numbers", answers(3))
            assert page.parts["rows"].count("<tr>") == 3
            ended = Thread(target=serving.stop)
            ended.start()
            with pytest.raises(ConnectionClosed) as closed:
                page.until("rows", "never")
            ended.join(BOUND_S)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, serving.process.returncode) == (GOING_AWAY, 0)
    finally:
        serving.kill()


def test_socket_is_refused_to_other_sites_and_to_strangers(tmp_path: Path) -> None:
    home = tmp_path / "home"
    serving = Serving(home, "--no-background", TALLYGATE_MASTER_KEY=MASTER)
    try:
        cookie = sign_in(serving, {}, home)
        assert [refusal(serving, cookie, "https://evil.example"), refusal(serving, "nobody"), refusal(serving, "")] == [403] * 3
    finally:
        serving.stop()


@pytest.mark.services
def test_one_process_shows_what_the_other_serves(tmp_path: Path) -> None:
    with Site(tmp_path / "home") as site:
        shown, other = site.serve("--no-background"), site.serve("--no-background")
        with opened(shown, sign_in(shown, site.environment, site.home)) as page:
            page.until("numbers", answers(0))
            assert [other.post("/v1/messages", ASK).status_code for _ in range(3)] == [200] * 3
            assert shown.ask() == 200
            page.until("numbers", answers(4))
            page.until("numbers", r"limit 4,000")
            slow = Thread(target=other.post, args=("/v1/messages", SLOW))
            slow.start()
            page.until("numbers", r'In flight</dt><dd class="num">1<')
            slow.join(BOUND_S)
            page.until("numbers", r'In flight</dt><dd class="num">0<')
            page.until("numbers", answers(5))
