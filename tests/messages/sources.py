"""Where texts stand: our templates and Python, and what the libraries show on our pages without a word of German or Japanese."""

import gettext as files
import io
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import allauth
import django
import rest_framework
import unfold
from babel.messages.extract import extract
from django.conf import settings
from django.utils.translation import override
from django.utils.translation.template import templatize

from gateway_project import field_names
from gateway_project.management.commands.check_config import all_readings
from routing.diagnosis import SENTENCES

ROOT = Path(__file__).resolve().parents[2]
APPS = ("audit", "billing", "console", "gateway_project", "keys", "proxy", "routing")
_PLAIN, _COUNTED, _NAMED, _NAMED_COUNTED = None, (1, 2), ((1, "c"), 2), ((1, "c"), 2, 3)
CALLS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), _PLAIN),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), _COUNTED),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), _NAMED),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), _NAMED_COUNTED),
}
LIBRARIES = (allauth, rest_framework, unfold)
# Parts of libraries that stand on no page of ours.
UNSEEN = re.compile(r"/(tests?|locale|dummy|headless|idp|crispy|unfold/contrib/(?!filters))")


class Text(NamedTuple):
    """One text as gettext looks it up; `forms` has a second one where it counts something."""

    forms: tuple[str, ...]
    context: str | None = None

    @property
    def key(self) -> str | tuple[str, str]:
        """What catalogues of Babel call its id."""
        return self.forms[0] if len(self.forms) == 1 else (self.forms[0], self.forms[1])


def texts_in(path: Path) -> Iterator[Text]:
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        # Blanked out markup keeps its indentation, which Python's reader would stumble over.
        source = re.sub(r"(?m)^\s+", "", templatize(source, origin=str(path)))
    for _line, message, _comments, context in extract("python", io.BytesIO(source.encode()), CALLS):
        forms = (message,) if isinstance(message, str) else tuple(message)
        if forms[0]:
            yield Text(forms, context)


def _files(folders: Iterable[Path], suffixes: tuple[str, ...] = (".html", ".py", ".txt")) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in suffixes)


def _looked_up_when_shown() -> Iterator[tuple[str, str]]:
    """Texts that their modules hold plainly, because those speak to the command line or to Django too."""
    yield from field_names.texts()
    yield from ((reading.meaning, "gateway_project/settings.py") for reading in all_readings(settings.TALLYGATE_CONFIG))
    yield from ((sentence, "routing/diagnosis.py") for sentence in SENTENCES.values())


@cache
def ours() -> dict[Text, list[str]]:
    """Each text of our own with the files that show it."""
    found: dict[Text, list[str]] = {}
    for path in _files([ROOT / "templates", *(ROOT / app for app in APPS)]):
        for text in texts_in(path):
            found.setdefault(text, []).append(path.relative_to(ROOT).as_posix())
    for name, place in _looked_up_when_shown():
        found.setdefault(Text((name,)), []).append(place)
    return {text: sorted(set(places)) for text, places in found.items()}


@cache
def _translated_elsewhere(language: str) -> frozenset[str]:
    """What Django and the libraries bring in that language."""
    roots = [Path(django.__file__).parent, *(Path(library.__file__).parent for library in LIBRARIES)]
    found: set[str] = set()
    for path in (each for root in roots for each in root.rglob(f"locale/{language}/LC_MESSAGES/django.mo")):
        with path.open("rb") as file:
            catalogue = files.GNUTranslations(file)
        found.update(key if isinstance(key, str) else key[0] for key, value in catalogue._catalog.items() if value)  # type: ignore[attr-defined]  # gettext has no public list of its ids
    return frozenset(found)


@cache
def of_libraries(language: str) -> dict[Text, list[str]]:
    """What the libraries leave in English in that language."""
    found: dict[Text, list[str]] = {}
    for library in LIBRARIES:
        for path in _files([Path(library.__file__).parent]):
            if UNSEEN.search(path.as_posix()):
                continue
            for text in texts_in(path):
                if _id(text) not in _translated_elsewhere(language):
                    found.setdefault(text, []).append(library.__name__)
    return {text: sorted(set(places)) for text, places in found.items()}


def _id(text: Text) -> str:
    return f"{text.context}\x04{text.forms[0]}" if text.context else text.forms[0]


def wanted(language: str) -> dict[Text, list[str]]:
    """All that the catalogue of a language must hold, with where each text stands."""
    with override("en"):
        found = {**of_libraries(language), **ours()}
    # gettext keeps one entry for a text that counts in one place and stands alone in another.
    counted = {(text.forms[0], text.context) for text in found if len(text.forms) > 1}
    return {text: places for text, places in found.items() if len(text.forms) > 1 or (text.forms[0], text.context) not in counted}
