"""Settings of signed tokens: from the environment, else `general_settings.enable_jwt_auth` of a config.yaml with LiteLLM's names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway_project import env
from gateway_project.yaml_source import Source
from keys.jwt_claims import ClaimNames
from keys.jwt_verify import Trust, VerifyingKey, WrongKey, of_pem, of_secret

PEM = "-----BEGIN"
SECTION = ("general_settings", "litellm_jwtauth")
# LiteLLM's names of claims → ours. Several of theirs may mean one of ours.
CLAIMS = {
    "user_id_jwt_field": "user", "user_email_jwt_field": "email", "team_id_jwt_field": "team", "team_ids_jwt_field": "team",
    "team_alias_jwt_field": "team", "roles_jwt_field": "role", "user_roles_jwt_field": "role",
}  # fmt: skip
TEXTS = {"admin_jwt_scope": "admin_scope", "team_id_default": "default_team", "user_allowed_email_domain": "email_domain"}


@dataclass(frozen=True, slots=True)
class FileTokens:
    """What the file says; empty where it says nothing."""

    is_on: bool = False
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    makes_people: bool | None = None
    ttl_s: float | None = None


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """`key` for good, or `urls` of sets of keys; without either no signed token is taken."""

    key: VerifyingKey | None = field(default=None, repr=False)
    urls: tuple[str, ...] = ()
    trust: Trust = field(default_factory=Trust)
    names: ClaimNames = field(default_factory=ClaimNames)
    default_team: str = ""
    email_domain: str = ""
    makes_people: bool = True
    ttl_s: float = 600.0

    @property
    def is_on(self) -> bool:
        return self.key is not None or bool(self.urls)

    @property
    def has_secret(self) -> bool:
        return self.key is not None and isinstance(self.key.key, str)


def file_tokens(source: Source) -> tuple[FileTokens, list[str]]:
    """What `general_settings` says of signed tokens, and the dotted keys of it without effect."""
    general, section = source.section("general_settings"), source.section(*SECTION)
    is_on = source.flag(general.get("enable_jwt_auth"), "general_settings", "enable_jwt_auth") is True
    claims: dict[str, tuple[str, ...]] = {}
    for theirs, ours in CLAIMS.items():
        if named := source.text(section.get(theirs), *SECTION, theirs):
            claims[ours] = (*claims.get(ours, ()), named)
    texts = {ours: source.text(section.get(theirs), *SECTION, theirs) for theirs, ours in TEXTS.items()}
    upsert = source.flag(section.get("user_id_upsert"), *SECTION, "user_id_upsert")
    ttl_s = source.number(section.get("public_key_ttl"), *SECTION, "public_key_ttl")
    honoured = {*CLAIMS, *TEXTS, "user_id_upsert", "public_key_ttl"}
    ignored = [f"general_settings.litellm_jwtauth.{name}" for name in section if name not in honoured]
    return FileTokens(is_on, claims, texts, upsert, ttl_s), ignored


def token_settings(said: FileTokens) -> TokenSettings:
    """Read through `env`, so that check-config lists each of them; raises WrongSetting."""
    sources = {
        "TALLYGATE_JWT_SECRET": env.text(
            "TALLYGATE_JWT_SECRET", secret=True, meaning="secret that tokens (JWT) are signed with, 32 bytes or more"
        ),
        "TALLYGATE_JWT_PUBLIC_KEY": env.text("TALLYGATE_JWT_PUBLIC_KEY", meaning="public key of signed tokens: PEM, or a file's path"),
        "TALLYGATE_JWT_JWKS_URL": env.text(
            "TALLYGATE_JWT_JWKS_URL",
            _older("JWT_PUBLIC_KEY_URL", said),
            meaning="where an identity provider has its keys (JWKS)",
        ),
    }
    given = [name for name, value in sources.items() if value]
    if len(given) > 1:
        raise env.WrongSetting(f"{' and '.join(given)} are set; signed tokens are checked by one of them. Unset the others.")
    if said.is_on and not given:
        raise env.WrongSetting(
            "general_settings.enable_jwt_auth is on without a key to check tokens with. Set JWT_PUBLIC_KEY_URL or TALLYGATE_JWT_SECRET."
        )
    urls = tuple(word.strip() for word in sources["TALLYGATE_JWT_JWKS_URL"].split(",") if word.strip())
    key = _key(sources["TALLYGATE_JWT_SECRET"], of_secret, "TALLYGATE_JWT_SECRET") or _key(
        _pem(sources["TALLYGATE_JWT_PUBLIC_KEY"]), of_pem, "TALLYGATE_JWT_PUBLIC_KEY"
    )
    return _more(TokenSettings(key, urls), said)


def _more(settings: TokenSettings, said: FileTokens) -> TokenSettings:
    """Whom tokens must come from and be for, where they say what, and who may come in."""
    issuers = env.words("TALLYGATE_JWT_ISSUER", _older("JWT_ISSUER", said), meaning="whom signed tokens must come from (iss)")
    audiences = env.words("TALLYGATE_JWT_AUDIENCE", _older("JWT_AUDIENCE", said), meaning="whom signed tokens must be for (aud)")
    default_team = env.text(
        "TALLYGATE_JWT_DEFAULT_TEAM", said.texts.get("default_team", ""), meaning="team, by id or name, of signed tokens that name none"
    )
    makes_people = env.flag(
        "TALLYGATE_JWT_MAKES_PEOPLE",
        default=said.makes_people is not False,
        meaning="whether somebody new who comes with a signed token is added to the team that it names",
    )
    return replace(
        settings,
        trust=Trust(tuple(issuers), tuple(audiences)),
        names=_names(said),
        default_team=default_team,
        email_domain=said.texts.get("email_domain", ""),
        makes_people=makes_people,
        ttl_s=said.ttl_s or settings.ttl_s,
    )


def _names(said: FileTokens) -> ClaimNames:
    usual = ClaimNames()

    def claim(kind: str, without: tuple[str, ...]) -> tuple[str, ...]:
        meaning = f"claims of signed tokens that name the {kind}; the first that is there counts"
        named = said.claims.get(kind, without)
        return tuple(env.words(f"TALLYGATE_JWT_{kind.upper()}_CLAIM", ",".join(named), meaning=meaning))

    return ClaimNames(
        claim("user", usual.user), claim("email", usual.email), claim("team", usual.team), claim("role", usual.role),
        claim("models", usual.models), said.texts.get("admin_scope", ""),
    )  # fmt: skip


def _older(name: str, said: FileTokens) -> str:
    """LiteLLM's name of a setting, which acts only where its file turns signed tokens on."""
    return (
        env.text(name, meaning="LiteLLM's name of a TALLYGATE_JWT_ setting; counts with enable_jwt_auth in a config.yaml")
        if said.is_on
        else ""
    )


def _pem(given: str) -> str:
    """The key itself, also with `\\n` for its line ends, or what is in the file."""
    if not given or given.startswith(PEM):
        return given.replace("\\n", "\n")
    try:
        return Path(given).expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is no text"
        raise env.WrongSetting(f"TALLYGATE_JWT_PUBLIC_KEY names the file {given!r}, which cannot be read: {told}.") from None


def _key(text: str, read: Callable[[str], VerifyingKey], name: str) -> VerifyingKey | None:
    if not text:
        return None
    try:
        return read(text)
    except WrongKey as error:
        raise env.WrongSetting(f"{name} cannot be used: {error}.") from None
