"""Makes a plausible value for a JSON schema: tool arguments and structured answers of the demo provider."""

import math
from dataclasses import dataclass
from typing import Any

DEEPEST = 6
MOST_ITEMS = 3
MOST_VALUES = 200
BY_FORMAT = {
    "date": "2026-11-21",
    "date-time": "2026-11-21T09:30:00Z",
    "time": "09:30:00Z",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "uuid": "5f0c3a52-9d0e-4c2b-8f53-3d1d6a0a7c11",
}
BY_NAME = {
    "file_path": "demo.txt",
    "path": "demo.txt",
    "url": "https://example.com/",
    "email": "ada@example.com",
    "city": "Berlin",
    "location": "Berlin",
    "language": "en",
    "command": "ls -la",
    "pattern": "*.md",
}

Schema = dict[str, Any]


def example(schema: Schema, topic: str) -> Any:
    """Follows types, enums, references and required members; not patterns."""
    return _Maker(schema, topic).value(schema, "", DEEPEST)


@dataclass(slots=True)
class _Maker:
    """`left` bounds the work: a small schema that refers to itself can describe a huge value."""

    root: Schema
    topic: str
    left: int = MOST_VALUES

    def value(self, schema: Any, name: str, depth: int) -> Any:
        self.left -= 1
        if not isinstance(schema, dict) or depth == 0 or self.left < 0:
            return None
        for given in ("const", "default"):
            if given in schema:
                return schema[given]
        for given in ("enum", "examples"):
            if isinstance(schema.get(given), list) and schema[given]:
                return schema[given][0]
        other = _redirect(schema, self.root)
        return self._typed(schema, name, depth) if other is None else self.value(other, name, depth - 1)

    def _typed(self, schema: Schema, name: str, depth: int) -> Any:
        match _type(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                count = max(1, min(int(_number(schema, "minItems", 1)), MOST_ITEMS))
                return [self.value(schema.get("items", {}), name, depth - 1) for _ in range(count)]
            case "integer":
                return math.ceil(_number(schema, "minimum", 1))
            case "number":
                return _number(schema, "minimum", 1)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return _string(schema, name, self.topic)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        given, required = schema.get("properties"), schema.get("required")
        properties = given if isinstance(given, dict) else {}
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else list(properties)
        return {name: self.value(properties.get(name, {}), name, depth - 1) for name in names[:MOST_VALUES]}


def _redirect(schema: Schema, root: Schema) -> Any:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found: Any = root
        for part in reference.removeprefix("#").strip("/").split("/"):
            found = found.get(part) if isinstance(found, dict) else None
        return found
    branches = (schema[name] for name in ("anyOf", "oneOf", "allOf") if isinstance(schema.get(name), list))
    return next((branch for options in branches for branch in options if branch != {"type": "null"}), None)


def _type(schema: Schema) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        return next((option for option in kind if option != "null"), "null")
    return kind


def _number(schema: Schema, name: str, otherwise: int) -> int | float:
    value = schema.get(name, otherwise)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def _string(schema: Schema, name: str, topic: str) -> str:
    shape = schema.get("format")
    known = (BY_FORMAT.get(shape) if isinstance(shape, str) else None) or BY_NAME.get(name)
    return known or " ".join(topic.split())[:60] or "demo"
