"""allauth's door for identity providers: what they say is checked here, and keys.sso_people makes a person of it."""

import hashlib
import logging
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base import Provider
from allauth.socialaccount.providers.base.constants import AuthError, AuthProcess
from allauth.socialaccount.providers.github.provider import GitHubProvider as AllauthsGitHub
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.trail import Actor
from keys.sign_ins import record_failure
from keys.sso import address_of
from keys.sso_github import GitHubProvider, github_groups
from keys.sso_groups import Identity, NotAdmitted, Source, Why, groups_in
from keys.sso_people import Profile, sign_in

logger = logging.getLogger(__name__)
LONGEST_UID = 191
REASONS: dict[Why, Promise] = {
    Why.NO_EMAIL: _("Your account there has no e-mail address that we are told of."),
    Why.EMAIL_UNVERIFIED: _("Your e-mail address there is not verified. Verify it, then sign in again."),
    Why.DOMAIN: _("Your e-mail address is not of a company that this gateway is for."),
    Why.GROUP: _("You are in none of the groups that this gateway is for. Ask whoever keeps your company's groups to add you."),
    Why.TOO_MANY_GROUPS: _("You are in so many groups that your company's sign-in leaves them out. It must send only this gateway's."),
    Why.GROUPS_UNREAD: _(
        "The groups that you are in could not be read. Try again in a minute; whoever runs this gateway finds the reason in its log."
    ),
    Why.UNKNOWN: _("Nobody here has your e-mail address. Ask whoever runs this gateway to add you."),
    Why.BLOCKED: _("You are blocked here. Ask whoever runs this gateway."),
    Why.EMAIL_OF_SEVERAL: _("Several people here have your e-mail address. Ask whoever runs this gateway to leave it to one of them."),
    Why.EMAIL_TAKEN: _("Your e-mail address belongs to another account here. Ask whoever runs this gateway to change it there."),
    Why.LAST_ADMIN: _("You would no longer be an administrator, and there is no other. Whoever runs this gateway signs in by a link."),
    Why.UNTRUE: _("The answer does not belong to this sign-in. Start again."),
}


class OidcProvider(OpenIDConnectProvider):  # type: ignore[misc]  # allauth ships no types
    def redirect(self, request: HttpRequest, process: str, next_url: str | None = None, **kwargs: Any) -> HttpResponse:
        """A nonce goes out and must come back in the id token. Parameters of ours cannot be set by a link that somebody was sent."""
        nonce = secrets.token_urlsafe(24)
        data = {"nonce": nonce}
        params = {**self.get_auth_params(), "nonce": nonce}
        try:
            response: HttpResponse = super().redirect(
                request, AuthProcess.LOGIN, next_url, data, auth_params=params, scope=self.get_scope()
            )
        except (OSError, KeyError) as error:  # what requests raises is an OSError
            return render_authentication_error(request, self, error=AuthError.UNKNOWN, exception=error)  # type: ignore[no-any-return]
        return response

    def extract_uid(self, data: Mapping[str, Any]) -> str:
        """The subject together with the issuer: another provider put in the place of this one may use the same subjects."""
        token, told = data.get("id_token") or {}, data.get("userinfo") or {}
        if not token.get("sub") or told.get("sub", token["sub"]) != token["sub"]:
            raise PermissionDenied("The id token and the user's data are not about the same person.")
        uid = f"{token['iss']} {token['sub']}"
        return uid if len(uid) <= LONGEST_UID else hashlib.sha256(uid.encode()).hexdigest()


OURS: dict[type[Provider], type[Provider]] = {OpenIDConnectProvider: OidcProvider, AllauthsGitHub: GitHubProvider}


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[SocialApp]:
        """Those of the settings; rows of allauth's own table would hold secrets in plain text."""
        return [app for app in super().list_apps(request, provider, client_id) if app.pk is None]

    def get_app(self, request: HttpRequest, provider: str, client_id: str | None = None) -> SocialApp:
        try:
            return super().get_app(request, provider, client_id)
        except SocialApp.DoesNotExist:
            raise Http404 from None

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Provider:
        found = super().get_provider(request, provider, client_id)
        ours = next((ours for theirs, ours in OURS.items() if isinstance(found, theirs)), None)
        return ours(request, app=found.app) if ours else found

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """pre_social_login makes whoever may come in; nobody gets as far as allauth's own form."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        source = settings.TALLYGATE_SIGN_IN.source(sociallogin.account.provider)
        try:
            if source is None or sociallogin.state.get("process") != AuthProcess.LOGIN:
                raise NotAdmitted(Why.UNTRUE)
            claims = claims_of(source, sociallogin)
            who = self._with_groups(source, sociallogin, identity(source, sociallogin, claims))
            actor = Actor("system", name=f"sign-in with {source.name}", ip=address_of(request))
            person = sign_in(who, profile_of(sociallogin, claims), settings.TALLYGATE_SIGN_IN.rules, actor=actor)
        except NotAdmitted as refused:
            logger.warning("Sign-in through %s refused: %s", sociallogin.account.provider, refused.why.value)
            record_failure(source.name if source else "identity provider", address_of(request))
            raise ImmediateHttpResponse(_refusal(request, refused.why)) from refused
        sociallogin.user = sociallogin.account.user = person

    def _with_groups(self, source: Source, login: SocialLogin, who: Identity) -> Identity:
        """Asks for them where the sign-in itself does not tell and somebody goes by them."""
        if not source.organisations or not settings.TALLYGATE_SIGN_IN.rules.go_by_groups:
            return who
        with self.get_requests_session() as session:
            return replace(who, groups=github_groups(source, login.token.token, session))

    def on_authentication_error(
        self, request: HttpRequest, provider: Provider, error: str = "", exception: Exception | None = None, **kwargs: Any
    ) -> None:
        cause = type(exception).__name__ if exception else error
        logger.warning("Sign-in through %s failed: %s", getattr(provider, "sub_id", provider), cause)
        known = settings.TALLYGATE_SIGN_IN.source(getattr(provider, "sub_id", ""))
        record_failure(known.name if known else "identity provider", address_of(request))


def _refusal(request: HttpRequest, why: Why) -> HttpResponse:
    return render(request, "socialaccount/refused.html", {"reason": REASONS[why]}, status=403)


def claims_of(source: Source, login: SocialLogin) -> dict[str, Any]:
    """What the provider says, as one; of an OpenID Connect provider only with the nonce of this sign-in."""
    told: dict[str, Any] = login.account.extra_data
    if source.kind != "oidc":
        return told
    token = told.get("id_token") or {}
    nonce = (login.state.get("data") or {}).get("nonce")
    if not nonce or token.get("nonce") != nonce:
        raise NotAdmitted(Why.UNTRUE)
    return {**token, **(told.get("userinfo") or {})}


def identity(source: Source, login: SocialLogin, claims: Mapping[str, Any]) -> Identity:
    if source.kind == "oidc":
        email, verified = str(claims.get("email") or ""), claims.get("email_verified") in (True, "true")
    else:
        email, verified = _address(login)
    is_denied = claims.get("email_verified") in (False, "false", ["false"])
    return Identity(
        source.id,
        login.account.uid,
        email.strip(),
        verified or (source.trusts_email and not is_denied),
        groups_in(claims, source.groups_claim),
    )


def _address(login: SocialLogin) -> tuple[str, bool]:
    """Of several verified addresses the company's own, which on GitHub is often not the first; else whatever there is."""
    verified = [address.email for address in login.email_addresses if address.verified]
    domains = settings.TALLYGATE_SIGN_IN.rules.domains
    ours = [email for email in verified if email.rpartition("@")[2].lower() in domains]
    found = [*ours, *verified]
    return (found[0], True) if found else (login.user.email, False)


def profile_of(login: SocialLogin, claims: Mapping[str, Any]) -> Profile:
    return Profile(login.user.first_name, login.user.last_name, claims)
