"""Calls through the demo while the picture of a page that moves is taken."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5")
PAUSE_S, AT_ONCE = 0.12, 24


@asynccontextmanager
async def traffic(url: str, token: str) -> AsyncIterator[None]:
    """Goes on until the picture is taken."""
    headers = {"x-api-key": token, "user-agent": "claude-cli/2.1.329"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        calling = asyncio.create_task(_calls(client))
        try:
            yield
        finally:
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)


async def _calls(client: httpx.AsyncClient) -> None:
    places = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        for number in itertools.count():
            await asyncio.sleep(PAUSE_S)
            group.create_task(_call(client, places, number))


async def _call(client: httpx.AsyncClient, places: asyncio.Semaphore, number: int) -> None:
    """Every twentieth meets a provider that has no capacity."""
    model = "demo-error-529" if number % 20 == 13 else MODELS[number % len(MODELS)]
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": 300,
        "stream": True,
        "messages": [{"role": "user", "content": f"Review part {number}."}],
    }
    async with places, client.stream("POST", "/v1/messages", json=body) as answer:
        async for _ in answer.aiter_raw():
            pass
