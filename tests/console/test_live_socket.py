"""The Live page's socket: who gets in, what they are sent, and when they have to go."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.sessions.models import Session
from django.db import connections

from audit.trail import SYSTEM
from console.live import hub as hub_module
from console.live.hub import CHANGED, FAILED, MOST_OF_ONE, SIGNED_OUT, Hub, Watcher
from console.live.look import Look
from keys.access import EVERYTHING
from keys.actions import change_user
from keys.models import User
from keys.sso_sessions import end_sessions
from tests.console.live_rows import OWN, ended, signed_in, socket
from tests.factories import PASSWORD, make_admin, make_user

PATIENCE_S = 30
Story = Callable[[WebsocketCommunicator], Awaitable[Any]]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "TICK_S", 0.05)
    monkeypatch.setattr(hub_module, "VISIT_S", 0.05)
    monkeypatch.setattr("console.live.desk.FRESH_S", 0.0)


async def let_go(live: Hub) -> None:
    """Of the connections that threads keep, which PostgreSQL would count as other users of the database."""
    await live.stop()
    await database_sync_to_async(connections.close_all)()


@pytest.fixture
def play(live: Hub) -> Callable[..., Any]:
    """Opens a socket, runs the story on it, and closes it."""

    def run(story: Story, cookie: str, **about: str) -> Any:
        async def scene() -> Any:
            opened = socket(cookie, **about)
            is_in, _ = await opened.connect(timeout=PATIENCE_S)
            assert is_in
            try:
                return await story(opened)
            finally:
                await opened.disconnect(timeout=PATIENCE_S)
                await let_go(live)

        return asyncio.run(scene())

    return run


def is_let_in(live: Hub, opened: WebsocketCommunicator) -> bool:
    async def knock() -> bool:
        is_in, _ = await opened.connect(timeout=PATIENCE_S)
        await opened.disconnect(timeout=PATIENCE_S)
        await let_go(live)
        return bool(is_in)

    return asyncio.run(knock())


async def heard(opened: WebsocketCommunicator) -> dict[str, str]:
    message = json.loads(await opened.receive_from(timeout=PATIENCE_S))
    parts: dict[str, str] = message["parts"]
    return parts


async def until(opened: WebsocketCommunicator, part: str, text: str) -> str:
    while text not in (html := (await heard(opened)).get(part, "")):
        pass
    return html


async def code_of_closing(opened: WebsocketCommunicator) -> int:
    while (event := await opened.receive_output(timeout=PATIENCE_S))["type"] != "websocket.close":
        pass
    return int(event["code"])


# ── who gets in ───────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "origin",
    ["", "null", "https://evil.example", f"{OWN}.evil.example", "http://127.0.0.1:8080", "http://127.0.0.1", "http://localhost:4000"],
)
def test_page_of_another_site_is_refused(live: Hub, origin: str) -> None:
    assert not is_let_in(live, socket(signed_in(make_admin()), origin=origin))


def test_page_of_the_public_address_is_let_in_behind_a_proxy(live: Hub, settings: Any) -> None:
    settings.TALLYGATE_PUBLIC_URL = "https://localhost:8443"
    assert is_let_in(live, socket(signed_in(make_admin()), origin="https://localhost:8443", host="inner:4000"))


@pytest.mark.parametrize("cookie", ["", "nobody-has-this-session"])
def test_visitor_who_is_not_signed_in_is_refused(live: Hub, cookie: str) -> None:
    assert not is_let_in(live, socket(cookie))


def test_blocked_person_is_refused(live: Hub) -> None:
    cookie = signed_in(make_user())
    User.objects.update(is_blocked=True)
    assert not is_let_in(live, socket(cookie))


def test_there_is_no_other_socket(live: Hub) -> None:
    assert not is_let_in(live, socket(signed_in(make_admin()), path="/elsewhere/"))


def test_person_has_only_so_many_sockets(live: Hub) -> None:
    async def scene() -> list[bool]:
        watchers = [Watcher("session", EVERYTHING, Look()) for _ in range(MOST_OF_ONE + 1)]
        joined = [live.join(one) for one in watchers]
        await live.stop()
        return joined

    assert asyncio.run(scene()) == [True] * MOST_OF_ONE + [False]


# ── what they are sent ────────────────────────────────────────────────────────
def test_first_message_has_the_whole_page(play: Callable[..., Any]) -> None:
    parts = play(heard, signed_in(make_admin()))
    assert set(parts) == {"numbers", "first", "total", "errors", "failures", "deployments", "rows"}


def test_deployments_are_for_administrators(play: Callable[..., Any]) -> None:
    assert "deployments" not in play(heard, signed_in(make_user("fin", "finance")))


def test_call_that_ends_appears_by_itself(play: Callable[..., Any]) -> None:
    async def story(opened: WebsocketCommunicator) -> str:
        await heard(opened)
        await database_sync_to_async(ended)(0.1, id="req_fresh")
        return await until(opened, "rows", "req_fresh")

    assert "claude-sonnet" in play(story, signed_in(make_admin()))


def test_call_of_another_does_not_appear(play: Callable[..., Any]) -> None:
    bob = make_user("bob")

    async def story(opened: WebsocketCommunicator) -> str:
        await heard(opened)
        await database_sync_to_async(ended)(0.2, id="req_foreign", user_id="somebody")
        await database_sync_to_async(ended)(0.1, id="req_own", user_id=bob.pk)
        return await until(opened, "rows", "req_own")

    assert "req_foreign" not in play(story, signed_in(bob))


def test_what_did_not_change_is_not_sent_again(play: Callable[..., Any]) -> None:
    async def story(opened: WebsocketCommunicator) -> set[str]:
        await heard(opened)
        return set(await heard(opened))

    ended(20.0)
    assert "rows" not in play(story, signed_in(make_admin()))


def test_socket_speaks_as_its_page_does(play: Callable[..., Any]) -> None:
    ended(20.0, outcome="failed", status=500)
    ended(20.0)
    parts = play(heard, signed_in(make_admin()), query="language=de&zone=Asia/Tokyo&currency=XYZ")
    assert "50,0\N{NO-BREAK SPACE}%" in parts["numbers"]


def test_slow_reader_gets_the_newest_and_keeps_nothing_waiting() -> None:
    async def scene() -> Any:
        watcher = Watcher("session", EVERYTHING, Look())
        for number in range(1000):
            watcher.offer({"numbers": str(number)})
        return await watcher.news(), watcher.waiting

    assert asyncio.run(scene()) == ({"numbers": "999"}, None)


# ── when they have to go ──────────────────────────────────────────────────────
def block(person: User) -> None:
    change_user(person, {"is_blocked": True}, actor=SYSTEM)


def sign_out(person: User) -> None:
    end_sessions(person)
    Session.objects.all().delete()


def set_password(person: User) -> None:
    person.set_password(PASSWORD + "!")
    person.save()


def demote(person: User) -> None:
    change_user(person, {"role": User.Role.MEMBER}, actor=SYSTEM)


@pytest.mark.parametrize(("change", "code"), [(block, SIGNED_OUT), (sign_out, SIGNED_OUT), (set_password, SIGNED_OUT), (demote, CHANGED)])
def test_person_who_may_no_longer_look_is_disconnected(play: Callable[..., Any], change: Callable[[User], None], code: int) -> None:
    make_admin("other")  # the last one may not be taken away
    person = make_admin()

    async def story(opened: WebsocketCommunicator) -> int:
        await heard(opened)
        await database_sync_to_async(change)(person)
        return await code_of_closing(opened)

    assert play(story, signed_in(person)) == code


def test_client_that_talks_is_hung_up_on(play: Callable[..., Any]) -> None:
    async def story(opened: WebsocketCommunicator) -> int:
        await opened.send_to(text_data="hello")
        return await code_of_closing(opened)

    assert play(story, signed_in(make_admin())) == 1008


def test_pages_are_told_to_come_back_when_the_figures_fail(play: Callable[..., Any], live: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*asked: object) -> None:
        raise ValueError("not thought of")

    monkeypatch.setattr(live.desk, "parts", fail)
    assert play(code_of_closing, signed_in(make_admin())) == FAILED
