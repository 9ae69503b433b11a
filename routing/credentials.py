"""Provider keys at rest: encrypted and bound to their row, or references to where they lie. There is no third form.

A secret may be JSON text with several fields, each of them a value or a reference.
"""

import json
from hmac import compare_digest

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from routing.models import Credential, Origin
from routing.references import CredentialUnusable as CredentialUnusable
from routing.references import ReferenceRefused as ReferenceRefused
from routing.references import Rules, check, fields_of, google_problem, parse
from routing.secret_sources import SecretSources

SEALED = "fernet:"


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


def resealed(sealed: str, row_id: str) -> str:
    """The same secret under the newest key."""
    return encrypt(decrypt(sealed, row_id), row_id)


def is_newest(sealed: str) -> bool:
    """Whether the first of the keys opens it."""
    try:
        Fernet(settings.TALLYGATE_SECRET_KEYS[0]).decrypt(sealed.removeprefix(SEALED))
    except InvalidToken:
        return False
    return True


def rules_for(origin: str) -> Rules:
    """What a credential of this origin may refer to."""
    return Rules(
        is_operators=origin == Origin.FILE,
        environment=tuple(settings.TALLYGATE_ENV_ALLOW),
        stores=tuple(settings.TALLYGATE_SECRETS_ALLOW),
        folder=settings.TALLYGATE_SECRETS_DIR,
        home=settings.TALLYGATE_HOME,
    )


def stored_form(typed: str, row_id: str, *, origin: str) -> str:
    """What is kept of what a person typed: the reference as it is, anything else encrypted. Raises ReferenceRefused."""
    typed = typed.strip()
    if not typed:
        return ""
    rules = rules_for(origin)
    reference = parse(typed)
    if reference is not None:
        check(reference, rules)
        return str(reference)
    _check_fields(typed, rules)
    return encrypt(typed, row_id)


def _check_fields(typed: str, rules: Rules) -> None:
    """A key that is JSON is read while somebody is there to correct it."""

    def checked(value: str) -> str:
        reference = parse(value)
        if reference is not None:
            check(reference, rules)
        return value

    try:
        fields = fields_of(typed, checked)
    except ReferenceRefused:
        raise
    except CredentialUnusable as error:
        raise ReferenceRefused(str(error)) from None
    if problem := _google_problem(fields, rules):
        raise ReferenceRefused(problem)


def _google_problem(fields: dict[str, str], rules: Rules) -> str:
    return "" if rules.is_operators else next(filter(None, map(google_problem, fields.values())), "")


def shown_form(stored: str) -> str:
    """What a page may say about a stored secret."""
    if not stored:
        return "not set"
    return "set" if stored.startswith(SEALED) or _reference_of(stored) is None else stored


def _reference_of(stored: str) -> object:
    try:
        return parse(stored)
    except ReferenceRefused:
        return None


def resolve_fields(credential: Credential, sources: SecretSources | None = None) -> dict[str, str]:
    """The secret's fields: a plain key as `api_key`, a key file of Google's whole as `google_json`, else those of its JSON object.

    Without any secret there are none: the provider's own default chain finds one. Raises CredentialUnusable.
    """
    stored, rules, sources = credential.secret, rules_for(credential.origin), sources or SecretSources()
    if not stored:
        return {}

    def followed(value: str) -> str:
        reference = parse(value)
        return value if reference is None else sources.read(reference, rules)

    if stored.startswith(SEALED):
        fields = fields_of(decrypt(stored, credential.pk), followed)
    else:
        reference = parse(stored)
        if reference is None:
            raise CredentialUnusable(f"Credential {credential.name} holds no provider key. Enter one.")
        # What lies elsewhere is data: a reference in there is not followed.
        fields = fields_of(sources.read(reference, rules))
    if problem := _google_problem(fields, rules) or _own_secret(fields):
        raise CredentialUnusable(f"Credential {credential.name} cannot be used: {problem}")
    return fields


def _own_secret(fields: dict[str, str]) -> str:
    """However it was named: what opens this gateway never goes to a provider."""
    ours = [text.encode() for text in (settings.TALLYGATE_MASTER_KEY, settings.SECRET_KEY, *settings.TALLYGATE_SECRET_KEYS) if text]
    is_ours = any(compare_digest(value.encode("utf-8", "surrogateescape"), own) for value in fields.values() for own in ours)
    return "it leads to one of Tallygate's own secrets." if is_ours else ""


def resolve(credential: Credential, sources: SecretSources | None = None) -> str:
    """The provider key, for providers that take one; raises CredentialUnusable."""
    key = resolve_fields(credential, sources).get("api_key")
    if not key:
        raise CredentialUnusable(f"Credential {credential.name} holds no provider key. Enter one.")
    return key
