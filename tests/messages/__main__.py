"""`python -m tests.messages`: brings the catalogues up to the sources and lists what wants a translation."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings_test")
django.setup()

from tests.messages import catalogues  # noqa: E402  # the sources name our models

wanting = [(language, text) for language in catalogues.LANGUAGES for text in catalogues.write(language)]
for language, text in wanting:
    print(f"{language}: {text.forms[0]!r}")  # noqa: T201
sys.exit(f"{len(wanting)} texts want a translation in locale/." if wanting else 0)
