"""The wire of GitHub (an Enterprise Server's) as far as people sign in by it: a code for a token, who it is, organisations and teams."""

import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CLIENT, SECRET, TOKEN = "client-1", "client-secret-canary-4410", "gho_canary-8817"
Answer = tuple[int, Any, dict[str, str]]


@dataclass
class FakeGitHub:
    """`orgs` are the person's organisations with the state of the membership; `teams` are `org/slug`."""

    person: int = 583231
    emails: dict[str, bool] = field(default_factory=lambda: {"ada@example.com": True})
    orgs: dict[str, str] = field(default_factory=dict)
    teams: list[str] = field(default_factory=list)
    page: int = 100
    forbids: dict[str, int] = field(default_factory=dict)  # path to the status it is answered with
    scopes: str | None = None  # those of the token; without it those that were asked for
    asked: dict[str, str] = field(default_factory=dict)  # the last sign-in
    seen: list[str] = field(default_factory=list)

    def authorise(self, address: str) -> dict[str, str]:
        """What the person's browser brings back after they said yes at `address`."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        return {"code": "code-1", "state": self.asked["state"]}

    def token(self, told: dict[str, str]) -> Answer:
        proof = urlsafe_b64encode(sha256(told.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if (told["client_id"], told["client_secret"], told["code"]) != (CLIENT, SECRET, "code-1") or proof != self.asked["code_challenge"]:
            return 200, {"error": "bad_verification_code"}, {}
        return 200, {"access_token": TOKEN, "token_type": "bearer", "scope": self.asked["scope"].replace(" ", ",")}, {}

    def answer(self, address: str, authorization: str) -> Answer:
        url = urlsplit(address)
        path = url.path.removeprefix("/api/v3")
        self.seen.append(path)
        scopes = self.asked["scope"].replace(" ", ", ") if self.scopes is None else self.scopes
        if TOKEN not in authorization:
            return 401, {"message": "Bad credentials"}, {}
        if path in self.forbids:
            return self.forbids[path], {"message": "no"}, {"X-OAuth-Scopes": scopes}
        status, told, headers = self._told(path, {name: values[0] for name, values in parse_qs(url.query).items()}, scopes)
        return status, told, {"X-OAuth-Scopes": scopes, **headers}

    def _told(self, path: str, query: dict[str, str], scopes: str) -> Answer:
        may_read = "read:org" in scopes
        org = path.removeprefix("/user/memberships/orgs/").lower()
        states = {name.lower(): state for name, state in self.orgs.items()} if may_read else {}
        if path == "/user":
            return 200, {"id": self.person, "login": "ada", "name": "Ada Lovelace", "email": None}, {}
        if path == "/user/emails":
            return 200, [{"email": one, "primary": True, "verified": said} for one, said in self.emails.items()], {}
        if path == "/user/teams" and may_read:
            return self._teams(int(query["page"]))
        return (200, {"state": states[org], "role": "member"}, {}) if org in states else (404, {"message": "Not Found"}, {})

    def _teams(self, number: int) -> Answer:
        shown = self.teams[(number - 1) * self.page : number * self.page]
        told = [{"slug": team.partition("/")[2], "organization": {"login": team.partition("/")[0]}} for team in shown]
        more = number * self.page < len(self.teams)
        return 200, told, {"Link": f'<https://elsewhere.example/user/teams?page={number + 1}>; rel="next"'} if more else {}


class _Handler(BaseHTTPRequestHandler):
    github: FakeGitHub

    def do_GET(self) -> None:
        self._tell(*self.github.answer(self.path, self.headers.get("authorization", "")))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        self._tell(*self.github.token({name: values[0] for name, values in parse_qs(body).items()}))

    def _tell(self, status: int, told: Any, headers: dict[str, str]) -> None:
        content = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@contextmanager
def serving_github() -> Iterator[tuple[FakeGitHub, str]]:
    """A GitHub on loopback, and its address."""
    github = FakeGitHub()
    handler = type("Handler", (_Handler,), {"github": github})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield github, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)
