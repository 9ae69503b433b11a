"""Settings of sign-in: identity providers, each by a few names, who may come in, and what groups give."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from gateway_project import env
from keys.sso_groups import Rules, Source, TeamGrant, WrongMap, plain, role_map, team_map

Map = TypeVar("Map")

# Tenants of Microsoft in which anybody is: their addresses prove nothing.
EVERYBODYS_TENANTS = frozenset({"common", "organizations", "consumers"})
THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
OIDC_SCOPES = "openid,profile,email"
EMAIL_ATTRIBUTES = [
    "email", "mail", "urn:oid:0.9.2342.19200300.100.1.3", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
]  # fmt: skip
FIRST_NAMES = ["givenName", "firstName", "urn:oid:2.5.4.42", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname"]
LAST_NAMES = ["sn", "lastName", "surname", "urn:oid:2.5.4.4", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname"]


# Providers that say nothing of groups, with the remedy.
WITHOUT_GROUPS = {
    "google": "Set TALLYGATE_SSO_DEFAULT_ROLE, with TALLYGATE_SSO_EMAIL_DOMAINS and without TALLYGATE_SSO_GROUPS.",
    "github": "Set TALLYGATE_GITHUB_ORGS, and name its teams in the maps.",
}


@dataclass(frozen=True, slots=True)
class SignInSettings:
    """`apps` is what allauth needs to know of each source; `problems` are settings that do nothing yet, for `doctor`."""

    sources: tuple[Source, ...] = ()
    apps: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    rules: Rules = field(default_factory=Rules)
    passwords: bool = True
    second_factor: str = "optional"
    problems: tuple[str, ...] = ()

    def source(self, source_id: str) -> Source | None:
        return next((source for source in self.sources if source.id == source_id), None)


@dataclass(slots=True)
class _Draft:
    sources: list[Source] = field(default_factory=list)
    apps: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def is_whole(self, **parts: str) -> bool:
        """Whether all of a provider's settings are there; some without the others are a problem to tell of."""
        missing = [name for name, value in parts.items() if not value]
        if missing and len(missing) < len(parts):
            given = next(name for name, value in parts.items() if value)
            self.problems.append(f"{given} is set without {' and '.join(missing)}: nobody can sign in there. Set the rest, or unset it.")
        return not missing

    def add(self, provider: str, source: Source, app: dict[str, Any]) -> None:
        self.sources.append(source)
        self.apps.setdefault(provider, {"APPS": []})["APPS"].append({"name": source.name, **app})

    def add_oidc(self, source: Source, client: tuple[str, str], issuer: str, scopes: list[str]) -> None:
        known = {"server_url": issuer.rstrip("/"), "oauth_pkce_enabled": True, "scope": scopes}
        self.add("openid_connect", source, {"provider_id": source.id, "client_id": client[0], "secret": client[1], "settings": known})


def sign_in_settings() -> SignInSettings:
    """Read through `env`, so that check-config lists each of them; raises WrongSetting."""
    draft = _Draft()
    _oidc(draft)
    _google(draft)
    _microsoft(draft)
    _okta(draft)
    _github(draft)
    _saml(draft)
    rules = _rules()
    if draft.sources and not rules.decide:
        draft.problems.append(
            "Identity providers are set, but not who may come in: only people who are here already do. "
            "Set TALLYGATE_SSO_EMAIL_DOMAINS, TALLYGATE_SSO_GROUPS or TALLYGATE_OIDC_ROLE_MAP."
        )
    draft.problems.extend(_groups_of_nobody(draft, rules))
    passwords = env.flag("TALLYGATE_PASSWORD_LOGIN", default=True, meaning="whether people sign in with a password or passkey of ours")
    if not passwords and not draft.sources:
        draft.problems.append("TALLYGATE_PASSWORD_LOGIN is off without an identity provider: only `admin login-link` opens the pages.")
    factor = env.choice(
        "TALLYGATE_SECOND_FACTOR",
        "optional",
        ("optional", "admins", "everybody"),
        meaning="who needs a second factor after a password of ours",
    )
    return SignInSettings(tuple(draft.sources), draft.apps, rules, passwords, factor, tuple(draft.problems))


# ── providers ─────────────────────────────────────────────────────────────────
def _client(brand: str) -> tuple[str, str]:
    client_id = env.text(f"TALLYGATE_{brand.upper()}_CLIENT_ID", meaning=f"client id of this gateway at {brand}")
    return client_id, env.text(f"TALLYGATE_{brand.upper()}_CLIENT_SECRET", secret=True, meaning=f"client secret of this gateway at {brand}")


def _groups_claim() -> str:
    return env.text("TALLYGATE_OIDC_GROUPS_CLAIM", "groups", meaning="claim with somebody's groups; a path such as realm_access.roles")


def _oidc(draft: _Draft) -> None:
    issuer = env.text("TALLYGATE_OIDC_ISSUER", meaning="address of an OpenID Connect provider, such as Keycloak")
    client = _client("OIDC")
    name = env.text("TALLYGATE_OIDC_NAME", "single sign-on", meaning="its name on the sign-in page")
    scopes = env.words("TALLYGATE_OIDC_SCOPES", OIDC_SCOPES, meaning="scopes to ask it for; some send groups only for groups")
    trusts = env.flag(
        "TALLYGATE_OIDC_TRUST_EMAIL", default=False, meaning="take its e-mail addresses as verified though it does not say that they are"
    )
    source = Source("company", name, "oidc", _groups_claim(), trusts)
    if draft.is_whole(TALLYGATE_OIDC_ISSUER=issuer, TALLYGATE_OIDC_CLIENT_ID=client[0], TALLYGATE_OIDC_CLIENT_SECRET=client[1]):
        draft.add_oidc(source, client, issuer, scopes)


def _google(draft: _Draft) -> None:
    client = _client("Google")
    if draft.is_whole(TALLYGATE_GOOGLE_CLIENT_ID=client[0], TALLYGATE_GOOGLE_CLIENT_SECRET=client[1]):
        draft.add_oidc(Source("google", "Google", "oidc", _groups_claim()), client, "https://accounts.google.com", OIDC_SCOPES.split(","))


def _microsoft(draft: _Draft) -> None:
    tenant = env.text("TALLYGATE_MICROSOFT_TENANT", meaning="your tenant at Microsoft Entra: its id or domain")
    client = _client("Microsoft")
    if tenant.lower() in EVERYBODYS_TENANTS:
        raise env.WrongSetting(f"TALLYGATE_MICROSOFT_TENANT is {tenant!r}, which is everybody's. Set it to the id of your own tenant.")
    if draft.is_whole(
        TALLYGATE_MICROSOFT_TENANT=tenant, TALLYGATE_MICROSOFT_CLIENT_ID=client[0], TALLYGATE_MICROSOFT_CLIENT_SECRET=client[1]
    ):
        # Entra never says email_verified; in one's own tenant addresses are the administrators' word.
        source = Source("microsoft", "Microsoft", "oidc", _groups_claim(), trusts_email=True)
        draft.add_oidc(source, client, f"https://login.microsoftonline.com/{tenant}/v2.0", OIDC_SCOPES.split(","))


def _okta(draft: _Draft) -> None:
    domain = env.text("TALLYGATE_OKTA_DOMAIN", meaning="your domain at Okta, such as example.okta.com, or an issuer's whole address")
    client = _client("Okta")
    if draft.is_whole(TALLYGATE_OKTA_DOMAIN=domain, TALLYGATE_OKTA_CLIENT_ID=client[0], TALLYGATE_OKTA_CLIENT_SECRET=client[1]):
        issuer = domain if "://" in domain else f"https://{domain}"
        draft.add_oidc(Source("okta", "Okta", "oidc", _groups_claim()), client, issuer, [*OIDC_SCOPES.split(","), "groups"])


def _github(draft: _Draft) -> None:
    client, server, orgs = _client("GitHub"), _github_server(), _github_orgs()
    if draft.is_whole(TALLYGATE_GITHUB_CLIENT_ID=client[0], TALLYGATE_GITHUB_CLIENT_SECRET=client[1]):
        api = f"{server}/api/v3" if server else "https://api.github.com"
        known = {"oauth_pkce_enabled": True, "scope": ["user:email", "read:org"] if orgs else ["user:email"]}
        source = Source("github", "GitHub", "github", api=api, organisations=orgs)
        draft.add("github", source, {"client_id": client[0], "secret": client[1], "settings": known})
        draft.apps["github"] |= {"GITHUB_URL": server} if server else {}
    elif not any(client) and (orgs or server):
        draft.problems.append("GitHub's address and organisations do nothing without TALLYGATE_GITHUB_CLIENT_ID. Set it, or unset them.")


def _github_orgs() -> tuple[str, ...]:
    orgs = env.words("TALLYGATE_GITHUB_ORGS", meaning="organisations at GitHub whose members and teams are groups: acme and acme/team")
    if wrong := [org for org in orgs if "/" in org or " " in org]:
        raise env.WrongSetting(f"TALLYGATE_GITHUB_ORGS holds {wrong[0]!r}; an organisation's name alone is needed, such as acme.")
    return tuple(orgs)


def _github_server() -> str:
    """Empty for github.com. The client secret and everybody's tokens go there."""
    told = env.text("TALLYGATE_GITHUB_URL", meaning="address of your own GitHub Enterprise Server; without it github.com").rstrip("/")
    url = urlsplit(told)
    if told and url.scheme != "https" and url.hostname not in THIS_MACHINE:
        raise env.WrongSetting(f"TALLYGATE_GITHUB_URL is {told!r}; an https address is needed, such as https://github.example.com.")
    return "" if url.hostname in {"github.com", "www.github.com"} else told


def _saml(draft: _Draft) -> None:
    metadata = env.text("TALLYGATE_SAML_METADATA", meaning="metadata of a SAML identity provider: its https address, or a file")
    entity = env.text("TALLYGATE_SAML_ENTITY_ID", meaning="which of several providers the metadata is about")
    name = env.text("TALLYGATE_SAML_NAME", "SAML", meaning="its name on the sign-in page")
    claim = env.text("TALLYGATE_SAML_GROUPS_ATTRIBUTE", "groups", meaning="attribute that holds somebody's groups")
    if not metadata:
        return
    known = {
        "idp": {"metadata_url": _metadata_address(metadata), "entity_id": entity},
        "advanced": {"allow_single_label_domains": True},  # gateways of an internal network have such names
        "attribute_mapping": {
            "email": EMAIL_ATTRIBUTES,
            "email_verified": ["email_verified"],
            "first_name": FIRST_NAMES,
            "last_name": LAST_NAMES,
        },
    }
    source = Source("saml", name, "saml", claim, trusts_email=True)
    draft.add("saml", source, {"provider_id": "saml", "client_id": "company", "settings": known})


def _metadata_address(told: str) -> str:
    """What is fetched over http could be anybody's: the certificate that signs every sign-in stands in it."""
    if told.startswith("https://"):
        return told
    path = Path(told).expanduser()
    if "://" in told or not path.is_absolute() or not path.is_file():
        raise env.WrongSetting(f"TALLYGATE_SAML_METADATA is {told!r}; an https address or the absolute path of a file is needed.")
    return path.as_uri()


# ── who may come in ───────────────────────────────────────────────────────────
def _rules() -> Rules:
    domains = env.words("TALLYGATE_SSO_EMAIL_DOMAINS", meaning="domains of the addresses that may sign in through an identity provider")
    groups = env.words("TALLYGATE_SSO_GROUPS", meaning="groups of which somebody must be in one to sign in")
    roles: tuple[tuple[str, str], ...] = _map("TALLYGATE_OIDC_ROLE_MAP", role_map, "groups to roles: gw-admins:admin,gw-fin:finance")
    teams: tuple[TeamGrant, ...] = _map("TALLYGATE_OIDC_TEAM_MAP", team_map, "groups to teams: gw-data:Data,gw-leads:Data:manager")
    default = env.choice(
        "TALLYGATE_SSO_DEFAULT_ROLE",
        "refuse" if roles or teams else "member",
        ("refuse", "viewer", "member"),
        meaning="role of people without a mapped group, or refuse; refuse is usual where groups are mapped",
    )
    return Rules(
        roles,
        teams,
        frozenset(domain.lower().removeprefix("@") for domain in domains),
        frozenset(plain(group) for group in groups),
        "" if default == "refuse" else default,
    )


def _groups_of_nobody(draft: _Draft, rules: Rules) -> Iterator[str]:
    """Groups that are asked for and that nobody ever has, or the other way round."""
    needs_group = bool(rules.groups or (rules.go_by_groups and not rules.default_role))
    for source in draft.sources:
        for org in source.organisations:
            if not any(group == org or group.startswith(f"{org}/") for group in rules.named_groups):
                yield f"TALLYGATE_GITHUB_ORGS names {org}, but no map and no TALLYGATE_SSO_GROUPS has {org} or {org}/TEAM: it has no use."
        if needs_group and source.id in WITHOUT_GROUPS and not source.organisations:
            yield f"{source.name} tells of no groups, and without one nobody comes in: it opens to nobody. {WITHOUT_GROUPS[source.id]}"


def _map(name: str, read: Callable[[str], Map], meaning: str) -> Map:
    try:
        return read(env.text(name, meaning=meaning))
    except WrongMap as error:
        raise env.WrongSetting(f"{name} cannot be used: {error}. Write it as group:value,group:value, or as JSON.") from None
