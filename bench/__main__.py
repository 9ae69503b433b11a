"""`python -m bench`: nginx, the baseline and Tallygate side by side, in interleaved rounds."""

import argparse
import json
import platform
import resource
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.cells import CELLS, CellFailed, measure
from bench.processes import cores, running
from bench.report import Samples, medians, table, with_added
from bench.targets import TARGETS, Place, Running, Unavailable, free_port, wait_until_open

_FILES = 16384
USUAL = ("direct", "nginx", "baseline", "tallygate")


@dataclass(frozen=True, slots=True)
class Plan:
    targets: tuple[str, ...]
    cells: tuple[str, ...]
    rounds: int
    seconds: float


def _choice(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    names = tuple(known)

    def parse(text: str) -> tuple[str, ...]:
        asked = text.split(",")
        if unknown := [name for name in asked if name not in names]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; choose from {', '.join(names)}")
        return tuple(name for name in names if name in asked)

    return parse


def _plan(arguments: list[str]) -> tuple[Plan, Path | None]:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, choices=range(1, 101), metavar="1..100")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement (at most 60)")
    parser.add_argument("--only", type=_choice(CELLS), default=tuple(CELLS), metavar="CELL,...", help=", ".join(CELLS))
    parser.add_argument("--targets", type=_choice(TARGETS), default=USUAL, metavar="TARGET,...", help=", ".join(TARGETS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample and the medians here")
    options = parser.parse_args(arguments)
    return Plan(options.targets, options.only, options.rounds, min(options.seconds, 60.0)), options.json


class Bench:
    """Walks the rounds; what cannot be measured is named once and left out."""

    def __init__(self, plan: Plan, place: Place, load_core: int) -> None:
        self._plan, self._place, self._load_core = plan, place, load_core
        self.left_out: dict[tuple[str, str], str] = {}
        self.samples: Samples = {name: {} for name in plan.targets}

    def run(self) -> None:
        for number in range(self._plan.rounds):
            # Every round starts with another target, so that none always follows the same one.
            turn = number % len(self._plan.targets)
            for name in (*self._plan.targets[turn:], *self._plan.targets[:turn]):
                self._visit(name)
            print(f"round {number + 1} of {self._plan.rounds} done", file=sys.stderr)

    def _cells(self, name: str) -> list[str]:
        fitting = [cell for cell in self._plan.cells if name != "direct" or not CELLS[cell].needs_process]
        return [cell for cell in fitting if (name, cell) not in self.left_out]

    def _visit(self, name: str) -> None:
        cells = self._cells(name)
        if not cells:
            return
        try:
            with TARGETS[name](self._place) as target:
                for cell in cells:
                    self._measure(name, cell, target)
        except Unavailable as reason:
            self._leave_out(name, cells, str(reason))

    def _measure(self, name: str, cell: str, target: Running) -> None:
        try:
            figures = measure(cell, target, seconds=self._plan.seconds, core=self._load_core)
        except CellFailed as reason:
            self._leave_out(name, [cell], str(reason))
            return
        for figure, value in figures.items():
            self.samples[name].setdefault(figure, []).append(value)

    def _leave_out(self, name: str, cells: Iterable[str], reason: str) -> None:
        self.left_out.update({(name, cell): reason for cell in cells})
        print(f"{name} is left out of {', '.join(cells)}: {reason}", file=sys.stderr)


def _result(samples: Samples, plan: Plan) -> dict[str, object]:
    machine = {"python": platform.python_version(), "system": platform.platform()}
    return {"machine": machine, "rounds": plan.rounds, "seconds": plan.seconds, "samples": samples, "medians": medians(samples)}


def main(arguments: list[str]) -> int:
    plan, target_file = _plan(arguments)
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, hard), hard))
    gateway_core, load_core = cores()
    with tempfile.TemporaryDirectory(prefix="tallygate-bench-") as home:
        place = Place(Path(home), gateway_core, free_port())
        command = [sys.executable, "-c", f"from bench.upstream import run; run({place.upstream_port})"]
        log = place.home / "upstream.log"
        with running(command, core=load_core, log=log, env={"PYTHONPATH": str(Path(__file__).parent.parent)}) as upstream:
            wait_until_open(place.upstream_port, upstream, log)
            bench = Bench(plan, place, load_core)
            bench.run()
    samples = with_added({name: figures for name, figures in bench.samples.items() if figures})
    print(table(samples))
    if target_file is not None:
        target_file.write_text(json.dumps(_result(samples, plan), indent=1))
    return 1 if any(name == "tallygate" for name, _ in bench.left_out) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
