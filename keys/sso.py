"""Signing in: allauth's adapter (nobody signs up by themselves) and the one-time link of `tallygate admin login-link`."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import base36_to_int, urlsafe_base64_decode, urlsafe_base64_encode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET

from audit.trail import Actor, describe, record_change
from keys.actions import create_user, set_password
from keys.authenticate import client_ip
from keys.models import User
from keys.sign_ins import record_failure, record_sign_in
from keys.sso_backend import BACKEND

LINK_LASTS = timedelta(minutes=15)


def address_of(request: HttpRequest) -> str:
    """The visitor's address, which limits on attempts, sessions and the audit trail go by."""
    trusted = tuple(ip_network(item, strict=False) for item in settings.TALLYGATE_TRUSTED_PROXIES)
    return client_ip(request.META.get("REMOTE_ADDR", ""), request.headers.get("x-forwarded-for", ""), trusted)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of(request) or "127.0.0.1"

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Every way in comes by here, passkeys and identity providers too."""
        if user.is_blocked or not user.is_active:
            return render(request, "account/account_inactive.html", status=403)
        response: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return response

    def login(self, request: HttpRequest, user: User) -> None:
        """Once every step is done, whatever the way in."""
        way = _way(get_authentication_records(request, user))
        with transaction.atomic():
            super().login(request, user)
            record_sign_in(user, way, address_of(request))

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        record_failure("password", address_of(request))

    def set_password(self, user: User, password: str) -> None:
        """allauth's pages change passwords through this, so the audit trail sees it."""
        changed = set_password(user, password, actor=Actor("user", id=user.pk, name=str(user)))
        user.password = changed.password


def _way(records: list[dict[str, Any]]) -> str:
    """`password, totp`; of an identity provider the name that people know it by."""
    ways = []
    for record in records:
        source = settings.TALLYGATE_SIGN_IN.source(record.get("provider", ""))
        ways.append(source.name if source else str(record.get("type") or record.get("provider") or record.get("method", "")))
    return ", ".join(dict.fromkeys(filter(None, ways)))


class SecondFactors(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    def validation_error(self, code: str, *args: Any) -> ValidationError:
        """A wrong code of somebody who is signed in is a slip; before that the password was right, and somebody should know."""
        request = context.request
        if code == "incorrect_code" and not request.user.is_authenticated:
            record_failure("second factor", address_of(request))
        error: ValidationError = super().validation_error(code, *args)
        return error


class LinkTokens(PasswordResetTokenGenerator):
    """Tokens that die after 15 minutes and with the next sign-in."""

    key_salt = "keys.sso.LinkTokens"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        signed_in = user.last_login.isoformat() if user.last_login else ""
        return f"{user.pk}/{user.password}/{signed_in}/{user.is_active}/{timestamp}"

    def check_token(self, user: User | None, token: str | None) -> bool:
        if not user or not token or not super().check_token(user, token):
            return False
        made_s = base36_to_int(token.partition("-")[0])
        return self._num_seconds(self._now()) - made_s <= LINK_LASTS.total_seconds()


LINK_TOKENS = LinkTokens()


def first_admin(actor: Actor) -> User:
    """The administrator to sign in as; made when there is none."""
    admins = User.objects.filter(role=User.Role.ADMIN, is_active=True, is_blocked=False)
    known = admins.order_by("date_joined").first()
    return known or create_user(User(username="admin", role=User.Role.ADMIN), actor=actor)


def login_link(user: User) -> str:
    """An address that signs this person in once, within 15 minutes."""
    place = {"uid": urlsafe_base64_encode(user.pk.encode()), "token": LINK_TOKENS.make_token(user)}
    return settings.TALLYGATE_PUBLIC_URL + reverse("login_by_link", kwargs=place)


def _person(uid: str) -> User | None:
    try:
        pk = urlsafe_base64_decode(uid).decode()
    except ValueError:
        return None
    return User.objects.select_for_update().filter(pk=pk, is_active=True, is_blocked=False).first()


@never_cache
@require_GET
@sensitive_variables("token")
def login_by_link(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """GET only: the HEAD with which chat programs look at a link must not use it up."""
    with transaction.atomic():
        user = _person(uid)
        if not user or not LINK_TOKENS.check_token(user, token):
            record_failure("link", address_of(request))
            return render(request, "login_link_failed.html", status=403)
        before = describe(user)
        login(request, user, backend=BACKEND)
        UserSession.objects.create_from_request(request)
        actor = Actor("user", id=user.pk, name=str(user)[:200], ip=address_of(request))
        record_change(
            "user.signed_in_by_link",
            user,
            actor=actor,
            before={"last_login": before["last_login"]},
            after={"last_login": describe(user)["last_login"]},
        )
    response = HttpResponseRedirect(settings.LOGIN_REDIRECT_URL)
    response["Referrer-Policy"] = "no-referrer"
    return response
