"""Servers that are killed again and again: each lives a moment once it answers, dies by SIGKILL, and is started anew on its port."""

import random
import threading

from tests.chaos.town import ALONE, Town
from tests.gateway_project.running import Serving

LONGEST = 6


class Mortal:
    """One server and the thread that kills it. `is_up` from its word that it answers until its death."""

    def __init__(self, place: Town, randomness: random.Random, every_s: float) -> None:
        self._place, self._random, self._every_s = place, randomness, every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.kills = 0
        self.lived_s = 0.0
        self.failures: list[str] = []
        self.serving: Serving = place.serve(ALONE)
        self.is_up = True

    @property
    def url(self) -> str:
        return self.serving.url

    def start_dying(self) -> None:
        self._thread.start()

    def stop_dying(self) -> None:
        """What lives then lives on."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set() and not self.failures:
            life_s = min(self._random.expovariate(1 / self._every_s), LONGEST * self._every_s)
            if self._over.wait(life_s):
                return
            self.lived_s += life_s
            self._die()
            self._rise()

    def _die(self) -> None:
        self.is_up = False
        self.serving.kill()
        self.kills += 1

    def _rise(self) -> None:
        self.serving = self._place.serve(ALONE, port=self.serving.port)
        self.is_up = any("answers at" in line for line in self.serving.lines)
        if not self.is_up:
            self.failures.append(self.serving.end()[1][-2000:])
