"""A YAML file with the line of every key that an error may have to name, and `os.environ/NAME` resolved where it is asked for."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gateway_project.env import WrongSetting

REFERENCE = "os.environ/"
DEPTH_WITH_LINES = 4
Place = tuple[str | int, ...]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Source:
    """`lines` knows the line of each place; `repeated` the keys written twice; `missing` grows with names that are not set.

    `files` knows what came from another file than `path`, and `variables` what the file itself says of the environment.
    """

    path: Path
    data: dict[Any, Any]
    lines: dict[Place, int]
    repeated: tuple[str, ...]
    missing: list[str] = field(default_factory=list)
    files: Mapping[Place, Path] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def wrong(self, place: Place, expected: str) -> WrongSetting:
        """The error that names file, line and what is expected, never the value: it may be a secret."""
        known = next(place[:end] for end in range(len(place), -1, -1) if place[:end] in self.lines)
        return WrongSetting(f"{self.file_of(place)}, line {self.lines[known]}: {dotted(place)} {expected}")

    def file_of(self, place: Place) -> Path:
        return next((self.files[place[:end]] for end in range(len(place), 0, -1) if place[:end] in self.files), self.path)

    def env(self, name: str) -> str:
        """The environment, and where it says nothing, what the file says in its place."""
        return os.environ.get(name, "").strip() or self.variables.get(name, "")

    def section(self, *place: str | int) -> dict[str, Any]:
        """The mapping at `place`; empty where nothing is written."""
        found: Any = self.data
        for step in place:
            if found is not None:
                found = found[step] if isinstance(step, int) else found.get(step)
        if found is None:
            return {}
        if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
            raise self.wrong(place, "must hold keys and values.")
        return found

    def resolved(self, value: object) -> Any:
        """`value` with every `os.environ/NAME` replaced, at any depth; a name that is not set becomes None and is noted."""
        if isinstance(value, dict):
            return {name: self.resolved(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.resolved(inner) for inner in value]
        if not (isinstance(value, str) and value.startswith(REFERENCE)):
            return value
        name = value.removeprefix(REFERENCE)
        found = self.env(name)
        if not found:
            self.missing.append(name)
        return found or None

    def text(self, value: object, *place: str | int) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(place, "must be text; put it in quotes.")
        return (self.resolved(value) or "").strip()

    def flag(self, value: object, *place: str | int) -> bool | None:
        """Yes or no, or None where nothing is written."""
        found = self.resolved(value)
        if isinstance(found, str) and found.lower() in {"true", "false"}:
            return found.lower() == "true"
        if found is not None and not isinstance(found, bool):
            raise self.wrong(place, "must be true or false.")
        return found

    def number(self, value: object, *place: str | int) -> float | None:
        """A number of 0 or more, or None where nothing is written."""
        found = self.resolved(value) if isinstance(value, str) else value
        if found is None:
            return None
        try:
            amount = float(found) if isinstance(found, int | float | str) and not isinstance(found, bool) else -1.0
        except ValueError:
            amount = -1.0
        if not 0 <= amount < 1e9:
            raise self.wrong(place, "must be a number of 0 or more.")
        return amount


def dotted(place: Place) -> str:
    """("model_list", 1, "litellm_params") as model_list[1].litellm_params"""
    words = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return words.removeprefix(".")


@dataclass(frozen=True, slots=True)
class Document:
    """One file by itself."""

    data: dict[Any, Any]
    lines: dict[Place, int]
    repeated: tuple[str, ...]


def read_document(path: Path) -> Document:
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise WrongSetting(f"{path} cannot be read: {error.strerror}. Correct the path or its permissions.") from None
    except UnicodeDecodeError:
        raise WrongSetting(f"{path} is not UTF-8 text. Save it as UTF-8.") from None
    lines: dict[Place, int] = {(): 1}
    repeated: list[str] = []
    try:
        loader = _Loader(content)
        node = loader.get_single_node()
        data = loader.construct_document(node) if node else {}
        _note_lines(node, (), lines, repeated)
    except (yaml.YAMLError, ValueError) as error:  # PyYAML lets a date such as 2026-13-45 out as ValueError
        raise WrongSetting(f"{path}, {_explained(error)}") from None
    if not isinstance(data, dict):
        raise WrongSetting(f"{path}, line 1: sections such as model_list: and general_settings: are expected.")
    return Document(data, lines, tuple(repeated))


def _explained(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1 if mark else 1}: not valid YAML ({problem}). Check the indentation and quotes there."


def _note_lines(node: yaml.Node | None, place: Place, lines: dict[Place, int], repeated: list[str]) -> None:
    """Fills in the lines, and the keys that are written twice in one mapping: YAML keeps only the last of them."""
    if len(place) >= DEPTH_WITH_LINES:
        return
    if isinstance(node, yaml.SequenceNode):
        pairs: list[tuple[str | int, int, yaml.Node]] = [(index, inner.start_mark.line, inner) for index, inner in enumerate(node.value)]
    elif isinstance(node, yaml.MappingNode):
        pairs = [(str(key.value), key.start_mark.line, inner) for key, inner in node.value]
    else:
        return
    seen: set[str | int] = set()
    for step, line, inner in pairs:
        here = (*place, step)
        if step in seen and step != "<<":
            repeated.append(f"{dotted(here)} (line {lines[here]}; written again on line {line + 1})")
        seen.add(step)
        lines[here] = line + 1
        _note_lines(inner, here, lines, repeated)
