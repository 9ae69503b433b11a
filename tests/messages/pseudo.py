"""A catalogue that puts every text between brackets, and a reader of pages that finds what stands outside of them."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.utils.translation import trans_real

LANGUAGE = "de"
_BRACKETED = re.compile(r"⟦[^⟦⟧]*⟧")
_WORDS = re.compile(r"[A-Za-z]{3,}(?:[ -][A-Za-z]+)*")
# What people typed stands in <bdi> or in mono; what machines read, in code; what callers are told, in elements of their language.
_NOT_OURS = {"script", "style", "code", "pre", "svg", "title", "bdi", "kbd", "textarea"}
_SPOKEN = {"title", "placeholder", "aria-label", "alt", "data-done", "data-ahead", "data-works", "data-asking", "data-empty"}
_EMPTY = {"br", "img", "input", "meta", "link", "hr", "wbr", "source", "col", "base"}


class Bracketed:
    """Stands in for Django's translation of a language: its forms of dates and plurals, and the English texts in brackets."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def gettext(self, message: str) -> str:
        return f"⟦{message.split(chr(4))[-1]}⟧"

    def ngettext(self, one: str, many: str, count: int) -> str:
        return self.gettext(one if count == 1 else many)


def put_between_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(trans_real)["_translations"], LANGUAGE, Bracketed(trans_real.translation(LANGUAGE)))


class _Visible(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.texts += [values[name] or "" for name in _SPOKEN & values.keys()]
        if tag not in _EMPTY:
            classes = (values.get("class") or "").split()
            is_quote = tag != "html" and values.get("lang") == "en"
            is_silent = tag in _NOT_OURS or is_quote or not {"mono", "material-symbols-outlined"}.isdisjoint(classes)
            self._open.append((tag, is_silent))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(is_silent for _tag, is_silent in self._open):
            self.texts.append(data)


def outside_of_brackets(html: str, known: set[str]) -> set[str]:
    """Words that people see and that no catalogue could translate."""
    page = _Visible()
    page.feed(_without_brackets(html))
    return {word for text in page.texts for word in _WORDS.findall(text)} - known


def _without_brackets(text: str) -> str:
    """A bracketed text may hold others, as their arguments."""
    while (shorter := _BRACKETED.sub("", text)) != text:
        text = shorter
    return text
