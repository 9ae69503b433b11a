"""Headless Chromium over its debugging protocol: a private window, a size, a colour scheme, a picture."""

import asyncio
import base64
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome")
BOUND_S = 30.0
TALLEST = 1600
# Charts draw themselves after the page is there.
SETTLED = "new Promise(done => setTimeout(() => requestAnimationFrame(() => done(true)), 400))"


def installed() -> str:
    """The browser's program, or nothing."""
    return next((found for name in NAMES if (found := shutil.which(name))), "")


class Browser:
    """One connection to the browser; each message waits for its answer."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def send(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json(message | ({"sessionId": session} if session else {}))
        async with asyncio.timeout(BOUND_S):
            while True:
                told = await self._socket.receive_json()
                if told.get("id") == number:
                    break
        if "error" in told:
            raise RuntimeError(f"{method}: {told['error']['message']}")
        return dict(told["result"])

    async def window(self) -> "Window":
        """With cookies of its own."""
        context = (await self.send("Target.createBrowserContext"))["browserContextId"]
        target = (await self.send("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        return Window(self, session)


class Window:
    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    async def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return await self._browser.send(method, self._session, **parameters)

    async def open(self, url: str) -> None:
        told = await self._send("Page.navigate", url=url)
        if told.get("errorText"):
            raise RuntimeError(f"{url}: {told['errorText']}")
        async with asyncio.timeout(BOUND_S):
            while await self.ask("document.readyState") != "complete":  # noqa: ASYNC110 - a page that is being left tells nothing
                await asyncio.sleep(0.05)
        await self.ask(SETTLED)

    async def ask(self, expression: str) -> Any:
        """A page that is just being left has no answer."""
        with suppress(RuntimeError):
            told = await self._send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
            return told["result"].get("value")
        return None

    async def look(self, *, width: int, height: int, is_dark: bool) -> None:
        await self._send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        await self._send("Emulation.setEmulatedMedia", features=[scheme])

    async def shoot(self, *, width: int, height: int, is_dark: bool) -> bytes:
        """The page to its end, as far as anybody would scroll for a look."""
        full = int(await self.ask("document.documentElement.scrollHeight") or height)
        await self.look(width=width, height=min(max(full, height), TALLEST), is_dark=is_dark)
        await self.ask(SETTLED)
        told = await self._send("Page.captureScreenshot", format="png")
        return base64.b64decode(told["data"])


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Ends with the block, and its profile with it."""
    with tempfile.TemporaryDirectory(prefix="tallygate-chromium-", ignore_cleanup_errors=True) as profile:
        words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"]
        process = await asyncio.create_subprocess_exec(
            installed(), *words, f"--user-data-dir={profile}", "about:blank", stderr=asyncio.subprocess.PIPE
        )
        try:
            address = await _address(cast(asyncio.StreamReader, process.stderr))
            async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
                yield Browser(socket)
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _address(told: asyncio.StreamReader) -> str:
    """Where it listens is the first thing that it says."""
    async with asyncio.timeout(BOUND_S):
        async for line in told:
            if found := re.search(rb"listening on (ws://\S+)", line):
                return found[1].decode()
    raise RuntimeError("the browser did not start")


def as_json(text: Any) -> list[str]:
    """A list that a page answered as JSON."""
    return [str(one) for one in json.loads(text or "[]")]
