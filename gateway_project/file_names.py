"""What the rows that a configuration file makes are called: as the file says in `model_info.tallygate_name`, or after what they are."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from gateway_project.model_list import LONGEST_NAME, FileDeployment

NUMBERS = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment of the file under the name its row has; rows of several routes that say one name are one deployment."""

    name: str
    row: FileDeployment


def named(deployments: Iterable[FileDeployment]) -> list[Wanted]:
    """Names that stay the same from start to start; the second of two alike gets #2."""
    rows = list(deployments)
    taken = {row.name for row in rows if row.name}
    found = []
    for row in rows:
        name = row.name or usual_name(row, taken)
        taken.add(name)
        found.append(Wanted(name, row))
    return found


def usual_name(row: FileDeployment, taken: set[str]) -> str:
    base = short(f"{row.route} ({row.provider}/{row.model})" + (f" [{row.id}]" if row.id else ""))
    return next(name for number in range(1, NUMBERS) if (name := base if number == 1 else f"{base} #{number}") not in taken)


def usual_key_name(row: FileDeployment, deployment: str) -> str:
    """One held in the file is named after the first deployment that uses it."""
    return short(f"{row.reference.removeprefix('env:')} ({row.provider})") if row.reference else f"{deployment} key"


def short(name: str) -> str:
    room = LONGEST_NAME - 10
    return name if len(name) <= room else f"{name[: room - 9]}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"
