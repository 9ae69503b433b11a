"""The Live page's WebSocket: lets in whose page this is, then only sends. What a client says is not listened to."""

import asyncio
import contextlib
import json
import time
from typing import Any
from urllib.parse import urlsplit

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError

from console.apps import live_of_this_process
from console.live.hub import Hub, Watcher
from console.live.look import Look

TOO_MANY, TALKS = 4429, 1008


class LiveConsumer(AsyncWebsocketConsumer):
    _hub: Hub
    _watcher: Watcher | None = None
    _sender: "asyncio.Task[None] | None" = None

    async def connect(self) -> None:
        """Refused before it is open: other sites' pages, and whoever is not signed in."""
        self._hub = live_of_this_process()
        session_key = self.scope["session"].session_key
        if not is_own_page(self.scope) or not session_key:
            await self.close()
            return
        try:
            reach = await self._hub.visit(session_key)
        except DatabaseError:
            reach = None
        if reach is None:
            await self.close()
            return
        await self.accept()
        watcher = Watcher(session_key, reach, Look.read(self.scope["query_string"].decode("latin-1")))
        if not self._hub.join(watcher):
            await self.close(code=TOO_MANY)
            return
        self._watcher = watcher
        self._sender = asyncio.create_task(self._send_forever(watcher))

    async def disconnect(self, code: int) -> None:
        if self._watcher is not None:
            self._hub.leave(self._watcher)
        if self._sender is not None:
            self._sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sender

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.close(code=TALKS)

    async def _send_forever(self, watcher: Watcher) -> None:
        """`send` waits for a slow reader; meanwhile newer figures take the place of those that wait."""
        with contextlib.suppress(OSError):  # the reader is gone; that is told to `disconnect`, too
            while (parts := await watcher.news()) is not None:
                await self.send(text_data=json.dumps({"at": int(time.time() * 1000), "parts": parts}, ensure_ascii=False))
            self._hub.leave(watcher)
            await self.close(code=watcher.code)


def is_own_page(scope: dict[str, Any]) -> bool:
    """Whether the page that opens it came from this very address: another port of this machine is another site."""
    headers = dict(scope["headers"])
    origin = urlsplit(headers.get(b"origin", b"").decode("latin-1").lower())
    own = {headers.get(b"host", b"").decode("latin-1").lower(), urlsplit(settings.TALLYGATE_PUBLIC_URL.lower()).netloc}
    return origin.scheme in {"http", "https"} and origin.netloc in own
