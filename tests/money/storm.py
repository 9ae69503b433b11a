"""Calls that are let go at one instant."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import httpx

from tests.chaos.town import code

PATIENCE_S = 60.0


def storm(urls: Sequence[str], token: str, count: int, asked: Mapping[str, object]) -> Counter[str]:
    """How each of `count` calls ended: its error code, or its status. The calls take turns among the addresses."""
    return asyncio.run(_storm(urls, token, count, asked))


async def _storm(urls: Sequence[str], token: str, count: int, asked: Mapping[str, object]) -> Counter[str]:
    headers = {"x-api-key": token, "anthropic-version": "2023-06-01"}
    barrier = asyncio.Barrier(count)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=PATIENCE_S, limits=limits, headers=headers) as client:

        async def one(number: int) -> str:
            await barrier.wait()
            return code(await client.post(f"{urls[number % len(urls)]}/v1/messages", json=dict(asked)))

        return Counter(await asyncio.gather(*(one(number) for number in range(count))))
