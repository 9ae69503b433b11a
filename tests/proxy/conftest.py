from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.limits import Limits
from tests.proxy.rig import Rig, running


@pytest.fixture
def limits() -> Limits:
    return Limits(sweep_s=0.02)


@pytest.fixture
def rig(tmp_path: Path, limits: Limits) -> Iterator[Rig]:
    with running(tmp_path, limits) as started:
        yield started
