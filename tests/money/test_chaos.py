"""A short run of the chaos rig; `make chaos` is the long one."""

import pytest

from tests.chaos.rig import Options, run

KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.services)]


# R6 R5 R4 R11
@pytest.mark.parametrize("kind", KINDS)
def test_ledger_covers_the_bill_after_kill_9_under_load(kind: str) -> None:
    found = run(Options(kind, seconds=8))
    assert found.violations == [], found.as_text()
