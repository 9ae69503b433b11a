"""The doctor's whole round, line by line as it comes: of the command line and of the page of settings alike."""

from collections.abc import Generator, Iterator

from django.utils import timezone

from gateway_project import diagnosis, surroundings
from gateway_project.diagnosis import Line


def everything(*, has_calls: bool) -> Iterator[Line]:
    """From this machine to every deployment. With calls: one tiny real one to each."""
    yield from surroundings.of_this_machine()
    yield from surroundings.of_other_machines()
    if (yield from _of_the_database()):
        yield from named([], has_calls=has_calls)


def at_hand() -> Iterator[Line]:
    """What of it takes no time, for a page that is waited for: nobody is asked but this machine and the database."""
    yield from surroundings.of_this_machine()
    if (yield from _of_the_database()):
        yield from diagnosis.unpriced([])


def named(names: list[str], *, has_calls: bool) -> Iterator[Line]:
    """Of these credentials and deployments; of all where there is no name."""
    yield from diagnosis.credentials(names)
    yield from diagnosis.deployments(names) if has_calls else diagnosis.unpriced(names)


def _of_the_database() -> Generator[Line, None, bool]:
    """Returns whether the rest can be looked at."""
    database = diagnosis.database()
    yield database
    if database.is_ok:
        yield from diagnosis.installation()
        yield from surroundings.of_the_rows(timezone.now())
    return database.is_ok
