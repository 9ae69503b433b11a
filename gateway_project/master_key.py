"""The master key of the settings: the key itself, or a reference to where it lies, followed once at the start."""

from pathlib import Path

from gateway_project.env import WrongSetting
from routing.references import CredentialUnusable, Rules, parse
from routing.secret_sources import SecretSources


def followed(given: str, folder: Path | None, sources: SecretSources | None = None) -> str:
    """What `given` stands for; raises WrongSetting, which never repeats a key. The operator's word: no place is closed to it."""
    try:
        reference = parse(given)
        if reference is None:
            return given
        found = (sources or SecretSources()).read(reference, Rules(is_ours=True, folder=folder))
    except CredentialUnusable as error:
        raise WrongSetting(f"The master key cannot be read from where it is said to lie: {error}") from None
    if not found.isprintable() or found.startswith("{"):
        raise WrongSetting(
            f"{reference} is no master key: one line of text is needed. A secret with several values needs #FIELD behind it."
        )
    return found
