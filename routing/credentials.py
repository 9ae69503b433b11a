"""Provider keys at rest: encrypted and bound to their row, or references to the environment. There is no third form."""

import json
import os
import re
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from routing.models import Credential, Origin

SEALED = "fernet:"
ENVIRONMENT = "env:"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_OPEN = re.compile(r"\w*_API_KEY|(AWS|GOOGLE|AZURE)_\w+")
_CLOSED = re.compile(r"(TALLYGATE|LITELLM)_\w*|DATABASE_URL|REDIS_URL")


class CredentialUnusable(ValueError):
    """A provider key that we cannot get at; the text names what is missing and never holds the key."""


class ReferenceRefused(CredentialUnusable):
    """A reference to an environment name that credentials may not read."""


class EnvironmentMissing(CredentialUnusable):
    """A reference to an environment name that is not set."""


class SealBroken(CredentialUnusable):
    """Stored text that none of our keys opens, or that belongs to another row."""


def _ring() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.TALLYGATE_SECRET_KEYS])


def encrypt(secret: str, row_id: str) -> str:
    """The row's id is sealed in with the secret, so that the text opens nowhere else."""
    return SEALED + _ring().encrypt(json.dumps([row_id, secret]).encode()).decode()


def decrypt(text: str, row_id: str) -> str:
    try:
        owner, secret = json.loads(_ring().decrypt(text.removeprefix(SEALED)))
    except InvalidToken as error:
        raise SealBroken(
            "This credential was sealed with a key that is not in TALLYGATE_SECRET_KEYS. Add that key, or enter the provider key again."
        ) from error
    if owner != row_id:
        raise SealBroken("This credential's secret belongs to another credential. Enter the provider key again.")
    return str(secret)


def check_reference(name: str, *, origin: str) -> None:
    """The operator's own file may name anything but what is ours; pages and scripts only what looks like a provider's key."""
    upper = name.upper()
    if not _NAME.fullmatch(name):
        raise ReferenceRefused(f"{name!r} is no name of an environment variable.")
    if _CLOSED.fullmatch(upper):
        raise ReferenceRefused(f"The environment variable {name} is Tallygate's own; a credential cannot use it.")
    if origin == Origin.FILE or _OPEN.fullmatch(upper) or name in settings.TALLYGATE_ENV_ALLOW:
        return
    raise ReferenceRefused(
        f"A credential cannot read {name}. Names such as ANTHROPIC_API_KEY or AWS_… work; the operator adds others in TALLYGATE_ENV_ALLOW."
    )


def stored_form(typed: str, row_id: str, *, origin: str) -> str:
    """What is kept of what a person typed: the reference as it is, anything else encrypted."""
    typed = typed.strip()
    if not typed:
        return ""
    if typed.startswith(ENVIRONMENT):
        check_reference(typed.removeprefix(ENVIRONMENT), origin=origin)
        return typed
    return encrypt(typed, row_id)


def shown_form(stored: str) -> str:
    """What a page may say about a stored secret."""
    if stored.startswith(ENVIRONMENT):
        return stored
    return "set" if stored else "not set"


def resolve(credential: Credential, environment: Mapping[str, str] = os.environ) -> str:
    """The provider key itself."""
    stored = credential.secret
    if stored.startswith(SEALED):
        return decrypt(stored, credential.pk)
    if not stored.startswith(ENVIRONMENT):
        raise CredentialUnusable(f"Credential {credential.name} holds no provider key. Enter one.")
    name = stored.removeprefix(ENVIRONMENT)
    check_reference(name, origin=credential.origin)
    if not environment.get(name):
        raise EnvironmentMissing(f"The environment variable {name}, which credential {credential.name} refers to, is not set.")
    return environment[name]
