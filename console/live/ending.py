"""How a task that talks to Redis is ended for certain."""

import asyncio
import logging

logger = logging.getLogger(__name__)

CANCEL_AGAIN_S = 0.5


async def end(task: "asyncio.Task[None]") -> None:
    """A client of Redis may swallow one cancelling, while it leaves or connects, but not every one."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN_S)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("what is told to live pages ended", extra={"fields": {"error": type(error).__name__}})
