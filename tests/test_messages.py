"""Catalogues of texts: complete, of today's sources, and compiled. `make messages` brings them up to date."""

import re
from collections import Counter

import pytest

from tests.messages.catalogues import LANGUAGES, compiled, forms_of, merged, missing, path_of, read
from tests.messages.sources import wanted

PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sdr%](?![a-z])|\{\w*\}|</?\w+[^>]*>")
# Signs that a sentence of the language has and its English source has not.
OTHER_QUOTES = {"de": re.compile(r"[“\"][^”\"]*”"), "ja": re.compile(r"“|”")}

each_language = pytest.mark.parametrize("language", sorted(LANGUAGES))


@each_language
def test_every_text_is_translated(language: str) -> None:
    assert [text.forms[0] for text in missing(merged(language))] == []


@each_language
def test_catalogue_holds_the_texts_of_the_sources_and_no_others(language: str) -> None:
    kept = {(message.id, message.context) for message in read(language) if message.id}
    assert kept ^ {(text.key, text.context) for text in wanted(language)} == set(), "run make messages"


@each_language
def test_compiled_catalogue_says_the_same(language: str) -> None:
    assert path_of(language).with_suffix(".mo").read_bytes() == compiled(merged(language)), "run make messages"


@each_language
def test_no_translation_is_a_guess(language: str) -> None:
    assert [message.id for message in read(language) if message.id and message.fuzzy] == []


@each_language
def test_catalogue_names_no_machine_and_no_day(language: str) -> None:
    assert not re.search(r"POT-Creation|Revision-Date|^#: /|\d{4}-\d\d-\d\d \d\d:", path_of(language).read_text(), re.MULTILINE)


@each_language
def test_translations_keep_placeholders_and_markup(language: str) -> None:
    wrong = []
    for message in read(language):
        source = forms_of(message.id)
        known = [Counter(PLACEHOLDER.findall(form)) for form in source]
        wrong += [form for form in forms_of(message.string) if message.id and Counter(PLACEHOLDER.findall(form)) not in known]
    assert wrong == []


@each_language
def test_translations_keep_blanks_at_their_ends(language: str) -> None:
    def ends(text: str) -> tuple[bool, bool]:
        return text[:1].isspace(), text[-1:] == " "

    def joined(text: str) -> tuple[bool, bool]:
        return ends(text.replace("、", ", "))

    messages = [message for message in read(language) if message.id]
    assert [message.id for message in messages if joined(forms_of(message.string)[0]) != ends(forms_of(message.id)[0])] == []


@each_language
def test_quotation_marks_are_the_languages_own(language: str) -> None:
    texts = [form for message in read(language) if message.id for form in forms_of(message.string)]
    assert [text for text in texts if OTHER_QUOTES[language].search(re.sub(r"\{[^}]*\}|\[[^]]*\]|<[^>]*>", "", text))] == []


def test_no_german_sentence_ends_with_a_day() -> None:
    """A day such as 30. Nov. ends with a full stop of its own."""
    texts = [form for message in read("de") if message.id for form in forms_of(message.string)]
    assert [text for text in texts if re.search(r"%\(days?\)s\.", text)] == []
