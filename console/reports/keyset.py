"""Long lists page by page. Each page begins behind the last row of the one before, so that nothing is skipped or told twice."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import DateTimeField, Q, QuerySet
from django.utils import timezone

CHUNK = 500
_WRONG = "This is no cursor of this report. Take the one of `next`, or leave it out."


class Keyset:
    """`order` is a column and then the primary key, both with the same direction: that pair is unique."""

    def __init__(self, rows: QuerySet[Any], order: tuple[str, str], size: int, cursor: str = "") -> None:
        self._names = tuple(name.removeprefix("-") for name in order)
        self._size = size
        self._last: Any = None
        self.has_more = False
        fields = [rows.model._meta.get_field(name) for name in self._names]
        self._rows = rows.order_by(*order)
        if cursor:
            self._rows = self._rows.filter(_behind(self._names, _read(cursor, fields), is_down=order[0].startswith("-")))

    def chunks(self) -> Iterator[list[Any]]:
        """The page's rows, some hundred at a time; `cursor` is known after the last."""
        found = self._rows[: self._size + 1].iterator(chunk_size=CHUNK)
        left = self._size
        while chunk := list(islice(found, min(CHUNK, left))):
            left -= len(chunk)
            self._last = chunk[-1]
            yield chunk
        self.has_more = next(found, None) is not None

    @property
    def cursor(self) -> str:
        """Of the next page; empty after the last."""
        if not self.has_more:
            return ""
        values = [getattr(self._last, name) for name in self._names]
        texts = [value.isoformat() if isinstance(value, datetime) else str(value) for value in values]
        return urlsafe_b64encode(json.dumps(texts).encode()).decode().rstrip("=")


def _behind(names: tuple[str, ...], values: list[Any], *, is_down: bool) -> Q:
    """Written so that an index on the first column finds the place."""
    towards, back = ("lte", "gte") if is_down else ("gte", "lte")
    return Q((f"{names[0]}__{towards}", values[0])) & ~Q((names[0], values[0]), (f"{names[1]}__{back}", values[1]))


def _read(cursor: str, fields: list[Any]) -> list[Any]:
    try:
        texts = json.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        raise ValidationError(_WRONG) from None
    if not isinstance(texts, list) or len(texts) != len(fields) or not all(isinstance(text, str) and "\0" not in text for text in texts):
        raise ValidationError(_WRONG)
    try:
        return [_value(field, text) for field, text in zip(fields, texts, strict=True)]
    except ValidationError:
        raise ValidationError(_WRONG) from None


def _value(field: Any, text: str) -> Any:
    value = field.to_python(text)
    field.run_validators(value)
    if isinstance(field, DateTimeField) and (not isinstance(value, datetime) or timezone.is_naive(value) or not 1970 <= value.year < 3000):
        raise ValidationError(_WRONG)
    return value
