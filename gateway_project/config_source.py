"""A config.yaml with the files that it includes, as one source; and what `environment_variables` says in place of the environment.

Lists of an included file are added to those there are; of a key that two files set, the including file's counts and the other is named.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway_project.env import WrongSetting
from gateway_project.yaml_source import Document, Place, Source, dotted, read_document

INCLUDE = "include"
VARIABLES = "environment_variables"
# They say where this file and its secrets lie, so they are read before it.
READ_BEFORE = frozenset({"TALLYGATE_HOME", "TALLYGATE_CONFIG"})


def read_source(path: Path) -> Source:
    joined = _Joined(path)
    joined.take(path, ())
    source = Source(path, joined.data, joined.lines, tuple(joined.repeated), files=joined.files)
    variables = _variables(source)
    return Source(path, joined.data, joined.lines, tuple(joined.repeated), source.missing, joined.files, variables)


def _variables(source: Source) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in source.section(VARIABLES).items():
        if name in READ_BEFORE:
            raise source.wrong((VARIABLES, name), "is needed before this file is read; set it in the environment itself.")
        if isinstance(value, dict | list):
            raise source.wrong((VARIABLES, name), "must be text; put it in quotes.")
        text = source.resolved(value)
        if text is not None and str(text).strip():
            found[name] = str(text).strip()
    return found


@dataclass(slots=True)
class _Joined:
    """Files laid over each other; `path` is the one that everything started with."""

    path: Path
    data: dict[Any, Any] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=lambda: {(): 1})
    repeated: list[str] = field(default_factory=list)
    files: dict[Place, Path] = field(default_factory=dict)
    taken: set[Path] = field(default_factory=set)

    def take(self, path: Path, through: tuple[Path, ...]) -> None:
        """A file that several others include is taken once."""
        self.taken.add(path.resolve())
        document = read_document(path)
        self.repeated += document.repeated if path == self.path else [f"{told} in {path.name}" for told in document.repeated]
        for name, value in document.data.items():
            if name != INCLUDE:
                self._lay(path, document, name, value)
        for index, name in enumerate(_included(path, document)):
            other = path.parent / Path(name).expanduser()
            where = f"{path}, line {_line(document, index)}: include[{index}]"
            if other.resolve() in (*(one.resolve() for one in through), path.resolve()):
                raise WrongSetting(f"{where} leads back to {other}. Files cannot include each other in a circle; leave it out there.")
            if not other.is_file():
                raise WrongSetting(f"{where} names {other}, which is no file. Paths count from the folder of the file that includes.")
            if other.resolve() not in self.taken:
                self.take(other, (*through, path))

    def _lay(self, path: Path, document: Document, name: Any, value: Any) -> None:
        known = self.data.get(name)
        if known is None:
            self.data[name] = value
            self._note(path, document, (name,), (name,))
        elif isinstance(known, list) and isinstance(value, list):
            for index in range(len(value)):
                self._note(path, document, (name, index), (name, len(known) + index))
            self.data[name] = [*known, *value]
        elif isinstance(known, dict) and isinstance(value, dict):
            for key, inner in value.items():
                self._lay_inner(path, document, (name, key), inner)
        elif value is not None:
            self._tell_twice(path, document, (name,))

    def _lay_inner(self, path: Path, document: Document, place: Place, value: Any) -> None:
        section = self.data[place[0]]
        if place[1] in section:
            self._tell_twice(path, document, place)
        else:
            section[place[1]] = value
            self._note(path, document, place, place)

    def _note(self, path: Path, document: Document, place: Place, now: Place) -> None:
        """Where the keys from `place` on are written; `now` is where they are in the whole."""
        if path != self.path:
            self.files[now] = path
        for known, line in document.lines.items():
            if known[: len(place)] == place:
                self.lines[(*now, *known[len(place) :])] = line

    def _tell_twice(self, path: Path, document: Document, place: Place) -> None:
        self.repeated.append(f"{dotted(place)} (line {document.lines.get(place, 1)} of {path.name}; the file that includes it says it too)")


def _included(path: Path, document: Document) -> list[str]:
    written = document.data.get(INCLUDE) or []
    if not isinstance(written, list) or not all(isinstance(name, str) and name.strip() for name in written):
        raise WrongSetting(f"{path}, line {document.lines.get((INCLUDE,), 1)}: include must be a list of file names.")
    return written


def _line(document: Document, index: int) -> int:
    return document.lines.get((INCLUDE, index), 1)
