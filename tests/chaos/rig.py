"""The chaos rig: servers that die by SIGKILL under callers that do not mind, and the reckoning afterwards."""

import asyncio
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.load import Load
from tests.chaos.report import Report, Run, report
from tests.chaos.scopes import CROWD
from tests.chaos.servers import Mortal
from tests.chaos.town import LEASE_S, Town, town
from tests.chaos.verdict import accounts, strangers, windows

CALLERS = 16


@dataclass(frozen=True, slots=True)
class Options:
    """`processes` are servers on PostgreSQL; SQLite has one."""

    database: str = "sqlite"
    seconds: float = 60.0
    processes: int = 3
    seed: int = 1
    kill_every_s: float = 0.25


def run(options: Options) -> Report:
    """Builds a town, lets it go through a bad minute, settles and compares."""
    with town(options.database, CROWD) as place:
        randomness = random.Random(options.seed)  # noqa: S311 - a run can be repeated by its seed
        count = options.processes if place.is_shared else 1
        mortals = [Mortal(place, random.Random(randomness.random()), options.kill_every_s) for _ in range(count)]  # noqa: S311
        load = Load([mortal.url for mortal in mortals], lambda number: mortals[number].is_up, randomness)
        begun = time.monotonic()
        asyncio.run(_bad_minute(load, mortals, options.seconds))
        happened = Run(
            database=options.database,
            processes=count,
            seed=options.seed,
            seconds=time.monotonic() - begun,
            kills=sum(mortal.kills for mortal in mortals),
            lived_s=sum(mortal.lived_s for mortal in mortals),
            outcomes=dict(load.outcomes),
            left_over=_settle(place, mortals),
        )
        book = place.book()
        found = accounts(load.calls, place.billed(), book)
        return report(happened, found, windows(found, book.windows))


async def _bad_minute(load: Load, mortals: Sequence[Mortal], seconds: float) -> None:
    calling = asyncio.create_task(load.run(CALLERS))
    for mortal in mortals:
        mortal.start_dying()
    await asyncio.sleep(seconds)
    await asyncio.gather(*(asyncio.to_thread(mortal.stop_dying) for mortal in mortals))
    load.is_over = True
    await calling


def _settle(place: Town, mortals: Sequence[Mortal]) -> list[str]:
    """All servers end in order; one more outlives every lease. What is wrong then, a sentence each."""
    for mortal in mortals:
        mortal.serving.stop()
    last = place.serve()
    threading.Event().wait(2 * LEASE_S if place.is_shared else 0)
    last.stop()
    failures = [f"a server did not start again: {failure}" for mortal in mortals for failure in mortal.failures]
    left = strangers(place.book())
    stand_ins = [f"{left} of the ledger stands for lost processes whose journals were found"] if left else []
    return [*failures, *stand_ins, *place.disorder()]
