"""A company and a browser for the tests that people's sign-in takes part in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Browser, chromium
from tests.e2e.company import CHROMIUM, Company, company_in


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with company_in(tmp_path) as found:
        yield found


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with chromium(CHROMIUM, tmp_path) as found:
        yield found
