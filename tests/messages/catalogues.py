"""The catalogues themselves: merged with what the sources hold, written without a date or a path of any machine, compiled."""

import io
from collections.abc import Iterable
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from tests.messages.sources import ROOT, Text, wanted

HEAD = "# What pages say, gathered by `make messages`. How it is kept, and which words are used: docs/translating.md"
LANGUAGES = {"de": "nplurals=2; plural=(n != 1);", "ja": "nplurals=1; plural=0;"}


class Catalogue(Catalog):
    """Babel's, with a head that is the same on every machine and day."""

    def _head(self) -> list[tuple[str, str]]:
        language = str(self.locale_identifier)
        return [
            ("Project-Id-Version", "Tallygate"),
            ("Language", language),
            ("Plural-Forms", LANGUAGES[language]),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit\n"),
        ]

    mime_headers = property(_head)


def path_of(language: str) -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


def read(language: str) -> Catalog:
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def merged(language: str) -> Catalogue:
    """Every text of the sources with the translation that the file has for it; what no source holds any more is gone."""
    before = read(language)
    after = Catalogue(locale=language, header_comment=HEAD, fuzzy=False)
    for text, places in wanted(language).items():
        known = before.get(text.key, text.context)
        after.add(
            text.key,
            known.string if known and not known.fuzzy else None,
            locations=[(place, 0) for place in places],
            context=text.context,
        )
    return after


def as_text(catalogue: Catalogue) -> bytes:
    out = io.BytesIO()
    write_po(out, catalogue, width=120, sort_output=True, ignore_obsolete=True, include_lineno=False)
    return out.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def forms_of(told: str | Iterable[str] | None) -> tuple[str, ...]:
    """Of what Babel keeps as one text or as several."""
    return (told or "",) if isinstance(told, str | None) else tuple(told)


def missing(catalogue: Catalog) -> list[Text]:
    return [Text(forms_of(message.id), message.context) for message in catalogue if message.id and not all(forms_of(message.string))]


def write(language: str) -> list[Text]:
    """Both files anew; returns what still wants a translation."""
    catalogue = merged(language)
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_text(catalogue))
    path.with_suffix(".mo").write_bytes(compiled(catalogue))
    return missing(catalogue)
