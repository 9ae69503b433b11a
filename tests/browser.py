"""A real Chromium without a window, driven over its DevTools protocol."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

PATIENCE_S = 30
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]


class Browser:
    """One tab. What it is told to do is done, and the page loaded, when a call returns."""

    def __init__(self, tab: ClientConnection) -> None:
        self._tab = tab
        self._count = 0
        self._events: list[str] = []
        for domain in ("Page", "Runtime", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._count += 1
        self._tab.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:
            told = self._heard()
            if told.get("id") == self._count:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result

    def _heard(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._tab.recv(timeout=PATIENCE_S))
        self._events.append(told.get("method", ""))
        return told

    def _until_told(self, event: str) -> None:
        while event not in self._events:
            self._heard()

    def go(self, url: str) -> None:
        self._events.clear()
        self.send("Page.navigate", url=url)
        self._until_told("Page.loadEventFired")

    def back(self) -> None:
        """To the page before, as the button does; what Chromium may not keep it asks for anew."""
        history = self.send("Page.getNavigationHistory")
        self._events.clear()
        self.send("Page.navigateToHistoryEntry", entryId=history["entries"][history["currentIndex"] - 1]["id"])
        self._until_told("Page.frameNavigated")
        self.until("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        done = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def until(self, script: str) -> None:
        """For what the page does a moment after it was told to, such as following a link within itself."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.run(script):
            assert time.monotonic() < deadline, f"It never came to be that {script}"
            time.sleep(0.01)

    def fill(self, selector: str, value: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).value = {json.dumps(value)}")

    def click(self, selector: str) -> None:
        """On what leads to another page."""
        self._events.clear()
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        self._until_told("Page.loadEventFired")

    def has(self, selector: str) -> bool:
        return bool(self.run(f"document.querySelector({json.dumps(selector)}) !== null"))

    @property
    def url(self) -> str:
        return str(self.run("location.href"))

    @property
    def text(self) -> str:
        return str(self.run("document.body.innerText"))

    def forget(self) -> None:
        """Signed in nowhere any more."""
        self.send("Network.clearBrowserCookies")


@contextmanager
def chromium(program: str, folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in `folder`."""
    profile = folder / "profile"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with (folder / "chromium.log").open("w+") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.PIPE, text=True)
        try:
            address = _debugging_address(process)
            tabs = httpx.get(f"http://{address}/json", timeout=PATIENCE_S).json()
            page = next(tab for tab in tabs if tab["type"] == "page")
            with connect(page["webSocketDebuggerUrl"], max_size=None) as tab:
                yield Browser(tab)
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_S)


def _debugging_address(process: subprocess.Popen[str]) -> str:
    """Chromium writes it to stderr as soon as it listens."""
    assert process.stderr is not None
    for line in process.stderr:
        if "DevTools listening on ws://" in line:
            return line.split("ws://")[1].split("/")[0]
    raise AssertionError("Chromium ended")
