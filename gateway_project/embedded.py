"""A Celery worker and its clock in threads of this process, over a queue in memory."""

import logging
import os
import threading
import time
from typing import Any

from celery import beat
from celery.worker import WorkController, state

from gateway_project.celery import app

CONCURRENCY = 4
LOOK_AGAIN_S = 0.02

# The start of the worker would otherwise run Django's system checks again, which `check` is for.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")


class _Worker(WorkController):
    ready: threading.Event

    def on_consumer_ready(self, consumer: object) -> None:
        self.ready.set()


class Embedded:
    def __init__(self) -> None:
        logging.getLogger("celery").setLevel(logging.WARNING)
        options: dict[str, Any] = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
        self.worker = _Worker(app=app, pool="threads", concurrency=CONCURRENCY, **options)
        self.worker.ready = threading.Event()
        self.clock: Any = beat.EmbeddedService(app, thread=True, scheduler_cls=beat.Scheduler)
        self.thread = threading.Thread(target=self.worker.start, name="worker", daemon=True)

    def start(self) -> None:
        self.thread.start()
        self.clock.start()

    def stop(self) -> None:
        """Takes no more tasks and blocks until the running ones have ended; the caller bounds it.

        Celery's own stop also waits for the clock and for a last look at the queue, up to 3 s in which nothing happens.
        """
        self.clock.service.stop()
        self.worker.signal_consumer_close()
        pool: Any = self.worker.pool
        if pool:
            pool.executor.shutdown(wait=False, cancel_futures=True)
        while state.active_requests:
            time.sleep(LOOK_AGAIN_S)
