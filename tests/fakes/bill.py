"""What the provider would charge: the oracle of every money test.

Independent of the gateway's own usage and price code on purpose; counts keep the provider's names. `marker` is the `metadata.user_id`
that the request carried, by which a caller finds the rows of its call again.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.fakes.messages import Json
from tests.lines import whole_lines


@dataclass(frozen=True, slots=True)
class BillRow:
    call_id: str
    model: str
    usage: Json
    is_complete: bool
    marker: str = ""


class Bill:
    """Rows in memory and, with a path, in a file that another process may read at any moment."""

    def __init__(self, path: Path | None = None) -> None:
        self.rows: list[BillRow] = []
        self._file = None if path is None else os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)

    def charge(self, row: BillRow) -> None:
        self.rows.append(row)
        if self._file is not None:
            # One write per row, so that rows of several threads do not mix.
            os.write(self._file, json.dumps(asdict(row)).encode() + b"\n")

    def total(self, kind: str) -> int:
        return sum(int(row.usage.get(kind, 0)) for row in self.rows)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_bill(path: Path) -> list[BillRow]:
    return [BillRow(**json.loads(line)) for line in whole_lines(path)]
