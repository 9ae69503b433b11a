"""The chaos rig's report: figures, and what must not be. Text for people, JSON for everything else."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from billing.money import money
from tests.chaos.verdict import Account, WindowAccount, wrong_attempts


@dataclass(frozen=True, slots=True)
class Run:
    """What happened, beside the money."""

    database: str
    processes: int
    seed: int
    seconds: float
    kills: int
    lived_s: float
    outcomes: Mapping[str, int]
    left_over: Sequence[str]  # what should not be there when all is settled


@dataclass(frozen=True, slots=True)
class Report:
    run: Run
    calls: int
    matched_attempts: int
    billed_nano: int
    posted_nano: int
    under_nano: int
    unseen_nano: int
    over_nano: int
    over_marked_nano: int
    reaped: int
    estimated: int
    windows: Sequence[WindowAccount]
    violations: Sequence[str]

    def as_json(self) -> str:
        windows = [asdict(one) | {"overshoot": one.overshoot} for one in self.windows]
        return json.dumps(asdict(self) | {"windows": windows}, indent=2, default=dict)

    def as_text(self) -> str:
        return "\n".join([*self._figures(), *self._windows(), "", *(self.violations or ["No violation."])])

    def _figures(self) -> list[str]:
        run = self.run
        outcomes = ", ".join(f"{count} {name}" for name, count in sorted(run.outcomes.items(), key=lambda item: -item[1]))
        over = 100 * self.over_nano / max(1, self.billed_nano)
        marked = 100 * self.over_marked_nano / max(1, self.over_nano)
        return [
            f"{run.database}, {run.processes} process(es), {run.seconds:.0f} s, seed {run.seed}",
            f"kills             {run.kills}, after {run.lived_s / max(1, run.kills):.2f} s of serving each",
            f"calls             {sum(run.outcomes.values())}: {outcomes}",
            f"with money        {self.calls}: {self.matched_attempts} attempts matched, {self.estimated} estimated, {self.reaped} reaped",
            f"provider's bill   {money(self.billed_nano, 6)}",
            f"ledger            {money(self.posted_nano, 6)}",
            f"under-counted     {money(self.under_nano, 6)}",
            f"beyond its grant  {money(self.unseen_nano, 6)} made by calls whose gateway died before anybody could see it",
            f"over-counted      {money(self.over_nano, 6)} ({over:.1f} %), {marked:.0f} % of it marked",
        ]  # fmt: skip

    def _windows(self) -> list[str]:
        full = [one for one in self.windows if one.billed]
        passed = [one for one in full if one.overshoot]
        spent = sum(one.posted >= one.limit * 0.9 for one in full)
        lines = [f"windows           {len(full)} with spend, {spent} of them used to 90 % or more, {len(passed)} passed by their true cost"]
        return lines + [
            f"  {one.name:40} limit {money(one.limit, 4):>12} billed {money(one.billed, 4):>12} over {money(one.overshoot, 4):>9}"
            f" <= X {money(one.bound, 4):>9}"
            for one in passed
        ]


def report(run: Run, found: Sequence[Account], windows: Sequence[WindowAccount]) -> Report:
    matched, wrong = wrong_attempts(found)
    over_marked = sum(account.over for account in found if account.is_marked)
    return Report(
        run=run,
        calls=len(found),
        matched_attempts=matched,
        billed_nano=sum(account.billed for account in found),
        posted_nano=sum(account.posted for account in found),
        under_nano=sum(account.under for account in found),
        unseen_nano=sum(account.unseen for account in found),
        over_nano=sum(account.over for account in found),
        over_marked_nano=over_marked,
        reaped=sum(account.was_reaped for account in found),
        estimated=sum(account.is_marked for account in found),
        windows=windows,
        violations=[*run.left_over, *_idle(run), *wrong, *_of_calls(found), *_of_windows(windows)],
    )


def _idle(run: Run) -> list[str]:
    missing = [f"no call was {name}" for name in ("served",) if not run.outcomes.get(name)]
    return missing if run.kills else [*missing, "nobody was killed"]


def _of_calls(found: Sequence[Account]) -> list[str]:
    lines = []
    for account in found:
        told = f"{account.call.marker} ({account.call.part.model}): billed {account.billed}, in the ledger {account.posted}"
        if account.under:
            lines.append(f"under-counted: {told}")
        elif account.over and not account.is_marked:
            lines.append(f"over-counted without a mark: {told}")
    return lines


def _of_windows(windows: Sequence[WindowAccount]) -> list[str]:
    return [f"{one.name} was passed by {one.overshoot}, more than X = {one.bound}" for one in windows if one.overshoot > one.bound]
