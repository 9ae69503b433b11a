"""The things measured: which load each one is, and which figures are kept of it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.bodies import IDLE_MODEL, JSON_MODEL, STREAM_MODEL
from bench.load import Order
from bench.processes import pin_to
from bench.targets import HOST, Running

_SPARE_S = 120.0


class CellFailed(Exception):
    """The load gave up on a target."""


@dataclass(frozen=True, slots=True)
class Cell:
    kind: str
    model: str
    size: str
    connections: int
    figures: tuple[str, ...]  # of the load's answer
    needs_process: bool = True  # False: direct is measured too, as what the others add to


# Idle first: its memory is read from a process that has served nothing else.
CELLS: dict[str, Cell] = {
    "idle": Cell("idle", IDLE_MODEL, "1k", 2000, ("before_mb", "added_mb")),
    "1k": Cell("calls", JSON_MODEL, "1k", 64, ("cpu_us", "per_s")),
    "100k": Cell("calls", JSON_MODEL, "100k", 64, ("cpu_us", "per_s")),
    "1m": Cell("calls", JSON_MODEL, "1m", 8, ("cpu_us", "per_s")),
    "latency": Cell("calls", JSON_MODEL, "1k", 1, ("p50_ms", "p99_ms"), needs_process=False),
    "stream": Cell(
        "streams", STREAM_MODEL, "1k", 200, ("cpu_us", "first_p50_ms", "first_p99_ms", "delay_p50_ms", "delay_p99_ms"), needs_process=False
    ),
}


def measure(name: str, running: Running, *, seconds: float, core: int) -> dict[str, float]:
    """Runs one load in a process of its own; figures by `cell.figure`."""
    cell = CELLS[name]
    order = Order(cell.kind, HOST, running.port, running.key, running.pid, cell.model, cell.size, cell.connections, seconds)
    command = [sys.executable, "-m", "bench.load", msgspec.json.encode(order).decode()]
    home = Path(__file__).parent.parent
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + _SPARE_S, cwd=home, preexec_fn=pin_to(core), check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CellFailed(f"the load did not end within {error.timeout:.0f} s") from error
    if done.returncode:
        raise CellFailed((done.stderr.splitlines() or ["no reason given"])[-1])
    result: dict[str, float] = json.loads(done.stdout)
    wanted = cell.figures if running.pid else tuple(figure for figure in cell.figures if figure != "cpu_us")
    return {f"{name}.{figure}": result[figure] for figure in wanted}
