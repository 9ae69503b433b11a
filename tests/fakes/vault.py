"""The wire of HashiCorp Vault as far as secrets are read over it: sign-in of roles, tokens that live on, engines of both versions."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ROOT_TOKEN = "hvs.canary-root-5521"
ROLE_ID, SECRET_ID = "role-canary-1", "secret-id-canary-2"


@dataclass
class FakeVault:
    """`mounts` are engines by path with their version; `secrets` their contents by mount and path."""

    mounts: dict[str, str] = field(default_factory=lambda: {"secret": "2", "kv/old": "1"})
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=lambda: {ROOT_TOKEN})
    tells_mounts: bool = True
    status: int = 0  # what is answered to everything, when set
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    logins: int = 0

    def answer(self, method: str, path: str, token: str, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.seen.append((method, path, token))
        if self.status:
            return self.status, {"errors": ["sealed, with canary-root-5521"]}
        if path == "auth/approle/login":
            return self._login(body)
        if token not in self.tokens:
            return 403, {"errors": ["permission denied"]}
        if path == "auth/token/renew-self":
            return 200, {"auth": {"client_token": token, "lease_duration": 0}}
        if path.startswith("sys/internal/ui/mounts/"):
            return self._mount(path.removeprefix("sys/internal/ui/mounts/"))
        return self._secret(path)

    def _login(self, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if (body.get("role_id"), body.get("secret_id")) != (ROLE_ID, SECRET_ID):
            return 400, {"errors": ["invalid role or secret ID"]}
        self.logins += 1
        token = f"hvs.role-canary-{self.logins}"
        self.tokens.add(token)
        return 200, {"auth": {"client_token": token, "lease_duration": 3600}}

    def _mount(self, path: str) -> tuple[int, dict[str, Any]]:
        name = next((mount for mount in self.mounts if path.startswith(f"{mount}/")), "")
        if not name or not self.tells_mounts:
            return 403, {"errors": ["preflight capability check returned 403"]}
        return 200, {"data": {"path": f"{name}/", "type": "kv", "options": {"version": self.mounts[name]}}}

    def _secret(self, path: str) -> tuple[int, dict[str, Any]]:
        for mount, version in self.mounts.items():
            inner = f"{mount}/data/" if version == "2" else f"{mount}/"
            found = self.secrets.get(f"{mount}/{path.removeprefix(inner)}")
            if path.startswith(inner) and found is not None:
                return 200, {"data": {"data": found, "metadata": {"version": 1}} if version == "2" else found}
        return 404, {"errors": []}


class _Handler(BaseHTTPRequestHandler):
    vault: FakeVault

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}") or {}
        path = self.path.removeprefix("/v1/")
        status, told = self.vault.answer(self.command, path, self.headers.get("x-vault-token", ""), body)
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _serve

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@contextmanager
def serving_vault() -> Iterator[tuple[FakeVault, str]]:
    """A Vault on loopback, and its address."""
    vault = FakeVault()
    handler = type("Handler", (_Handler,), {"vault": vault})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield vault, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)
