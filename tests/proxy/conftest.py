from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.limits import Limits
from tests.proxy.house import House
from tests.proxy.rig import Rig, running


@pytest.fixture
def limits() -> Limits:
    return Limits(sweep_s=0.02)


@pytest.fixture
def rig(tmp_path: Path, limits: Limits) -> Iterator[Rig]:
    with running(tmp_path, limits) as started:
        yield started


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Gateways that are started once; a module takes them by a `rig` fixture of its own."""
    with House(tmp_path_factory) as opened:
        yield opened
