"""The gateway in front of the fake of Google, and the deployments that join them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from routing.providers.base import UpstreamRequest
from routing.snapshot import DeploymentSnapshot
from tests.fakes.google import KEY, LOCATION, PROJECT, TOKEN, FakeGoogle
from tests.fakes.serving import serve_in_thread
from tests.proxy.door import TRUST
from tests.proxy.rig import ALICE, Rig
from tests.proxy.talk import PATIENCE_S

CLAUDE, GEMINI = "claude-opus-5-5", "gemini-2.5-pro"
ANTHROPIC = f"/vertex_ai/v1/projects/p/locations/l/publishers/anthropic/models/{CLAUDE}"
GOOGLE = f"/vertex_ai/v1beta1/projects/p/locations/l/publishers/google/models/{GEMINI}"
BEARER = {"authorization": f"Bearer {ALICE}"}
ASK = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


class Token:
    """An access with a token in hand."""

    def __init__(self, token: str = TOKEN) -> None:
        self._header = (b"authorization", f"Bearer {token}".encode())

    def sign(self, request: UpstreamRequest) -> None:
        request.headers.append(self._header)

    def renew(self) -> None:
        """Nothing is ever due."""


@dataclass(frozen=True)
class GoogleRig:
    """`vertex` and `gemini` are the usual deployments; routes by the names of their models lead to Vertex."""

    rig: Rig
    fake: FakeGoogle
    vertex: DeploymentSnapshot
    gemini: DeploymentSnapshot

    def route(self, name: str, *deployments: DeploymentSnapshot) -> None:
        self.rig.gateway.route(name, *deployments)

    def post(self, path: str, fields: dict[str, Any] | bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        """One call on a connection of its own."""
        content = {"content": fields} if isinstance(fields, bytes) else {"json": fields}
        with httpx.Client(verify=TRUST, timeout=PATIENCE_S) as client:
            return client.post(self.rig.url + path, headers=BEARER if headers is None else headers, **content)


@contextmanager
def google_behind(rig: Rig, fake: FakeGoogle | None = None) -> Iterator[GoogleRig]:
    fake = fake or FakeGoogle()
    with serve_in_thread(fake) as address:
        vertex = DeploymentSnapshot(
            "vertex-1", "vertex", "vertex_ai", CLAUDE, base_url=address, access=Token(), region=LOCATION, project=PROJECT
        )
        gemini = DeploymentSnapshot("gemini-1", "gemini", "gemini", GEMINI, base_url=address, secret=KEY)
        google = GoogleRig(rig, fake, vertex, gemini)
        google.route(CLAUDE, vertex)
        google.route(GEMINI, replace(vertex, id="vertex-2", model=GEMINI))
        yield google
