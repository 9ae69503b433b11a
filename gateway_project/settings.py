"""Settings, grouped by app. Everything an operator may set is read from the environment through `env`."""

from pathlib import Path

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from gateway_project import env
from gateway_project.config_file import remembered_config
from gateway_project.databases import databases
from gateway_project.first_run import load_secrets
from gateway_project.jwt_settings import token_settings
from gateway_project.logs import is_no_socket
from gateway_project.master_key import followed
from gateway_project.sso_settings import sign_in_settings

BASE_DIR = Path(__file__).resolve().parent.parent

# ── operator's settings ───────────────────────────────────────────────────────
TALLYGATE_HOME = env.folder("TALLYGATE_HOME", BASE_DIR / "var", meaning="folder of the database, the journal and generated secrets")
_generated = load_secrets(TALLYGATE_HOME)
TALLYGATE_CONFIG = remembered_config(TALLYGATE_HOME, env.text("TALLYGATE_CONFIG", meaning="LiteLLM-style config.yaml"))
_from_file = TALLYGATE_CONFIG.environment
env.fill_in(TALLYGATE_CONFIG.variables)
TALLYGATE_SECRETS_DIR = env.folder_or_none("TALLYGATE_SECRETS_DIR", meaning="folder of the files that file: references may name")
if TALLYGATE_SECRETS_DIR and TALLYGATE_HOME.resolve().is_relative_to(TALLYGATE_SECRETS_DIR.resolve()):
    raise env.WrongSetting("TALLYGATE_SECRETS_DIR holds TALLYGATE_HOME, which credentials may not read. Set it to a folder of its own.")
TALLYGATE_MASTER_KEY = followed(
    env.text(
        "TALLYGATE_MASTER_KEY",
        env.text("LITELLM_MASTER_KEY", secret=True, meaning="old name of TALLYGATE_MASTER_KEY"),
        secret=True,
        meaning="key of administrators' scripts, or a reference to it",
    )
    or _from_file.get("master_key", "")
    or _generated["TALLYGATE_MASTER_KEY"],
    TALLYGATE_SECRETS_DIR,
)
TALLYGATE_SECRET_KEYS = env.words(
    "TALLYGATE_SECRET_KEYS",
    _generated["TALLYGATE_SECRET_KEYS"],
    secret=True,
    meaning="keys that encrypt stored credentials; the first encrypts",
)
TALLYGATE_PUBLIC_URL = env.text("TALLYGATE_PUBLIC_URL", "http://127.0.0.1:4000", meaning="address people use to reach this gateway").rstrip(
    "/"
)
TALLYGATE_TRUSTED_PROXIES = env.words(
    "TALLYGATE_TRUSTED_PROXIES", meaning="addresses or ranges of proxies whose X-Forwarded-For is believed"
)
TALLYGATE_ALLOWED_IPS = env.networks(
    "TALLYGATE_ALLOWED_IPS", _from_file.get("allowed_ips", ""), meaning="addresses or ranges that may call here; without it all may"
)
TALLYGATE_REQUIRED_HEADER = env.header(
    "TALLYGATE_REQUIRED_HEADER", meaning="`Name: value` of a secret header that opens besides TALLYGATE_ALLOWED_IPS; alone, all need it"
)
TALLYGATE_KEY_HEADER = env.text(
    "TALLYGATE_KEY_HEADER", _from_file.get("key_header", ""), meaning="further header that may carry a virtual key"
)
TALLYGATE_SIGNED_TOKENS = token_settings(TALLYGATE_CONFIG.tokens)
TALLYGATE_SIGN_IN = sign_in_settings()
TALLYGATE_AWS_KEY_IDS = env.flag(
    "TALLYGATE_AWS_KEY_IDS",
    default=False,
    meaning="take the access key id of a request signed for AWS as a virtual key; its signature is not checked",
)
TALLYGATE_LITELLM_COMPAT = env.choice(
    "TALLYGATE_LITELLM_COMPAT",
    _from_file.get("litellm_compat", "classic"),
    ("classic", "current"),
    meaning="which LiteLLM's statuses and phrases the management API and OpenAI's APIs refuse with: 1.78's (classic) or 1.109's (current)",
)
TALLYGATE_LITELLM_TEST_FIELDS = env.flag(
    "TALLYGATE_LITELLM_TEST_FIELDS",
    default=_from_file.get("litellm_test_fields", "no") in env.YES,
    meaning="act on LiteLLM's test fields of a call, such as mock_response; never where real work is done",
)
TALLYGATE_BODY_LIMIT_MB = env.number(
    "TALLYGATE_BODY_LIMIT_MB", int(_from_file.get("body_limit_mb", 32)), meaning="largest request body in MB"
)
TALLYGATE_DRAIN_GRACE_S = env.number(
    "TALLYGATE_DRAIN_GRACE_S", 0, meaning="seconds between a stop signal (readiness 503) and the end of listening"
)
TALLYGATE_DRAIN_S = env.number("TALLYGATE_DRAIN_S", 600, meaning="seconds that running streams may go on after a stop signal")
TALLYGATE_DEFAULT_PARALLEL = env.number(
    "TALLYGATE_DEFAULT_PARALLEL", 100, meaning="calls at once of a key without a limit of its own; 0 for no limit"
)
TALLYGATE_MAX_IN_FLIGHT = env.whole(
    "TALLYGATE_MAX_IN_FLIGHT",
    int(_from_file.get("max_in_flight", 2000)),
    meaning="calls that one process has under way at most, whoever makes them; 0 for no limit",
)
TALLYGATE_LEASE_S = env.number(
    "TALLYGATE_LEASE_S", 90, meaning="seconds that a process may spend its shares of budgets without a word from the database"
)
TALLYGATE_ENV_ALLOW = env.words("TALLYGATE_ENV_ALLOW", meaning="further environment names that credentials may refer to")
TALLYGATE_SECRETS_ALLOW = env.words(
    "TALLYGATE_SECRETS_ALLOW",
    meaning="aws-sm: and vault: references (* at the end: all that begin so) that credentials made in pages may name",
)
TALLYGATE_EGRESS_ALLOW = env.networks("TALLYGATE_EGRESS_ALLOW", meaning="private ranges (CIDR) that deployments made in pages may reach")
REDIS_URL = env.text("REDIS_URL", secret=True, meaning="Redis for several processes")

# What processes tell each other for the Live page. No channel is the default one: sockets wait for nothing there themselves.
CHANNEL_LAYERS = {
    "live": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL], "prefix": "tallygate:"}}
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}

# Attempts to sign in are counted in it.
CACHES = {
    "default": {"BACKEND": "gateway_project.shared_cache.SharedCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# ── Django ────────────────────────────────────────────────────────────────────
SECRET_KEY = env.text("TALLYGATE_DJANGO_SECRET", _generated["TALLYGATE_DJANGO_SECRET"], secret=True, meaning="signs sessions and links")
DEBUG = env.flag("TALLYGATE_DEBUG", default=False, meaning="error pages with details; never in production")
_host = TALLYGATE_PUBLIC_URL.split("://", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0]
ALLOWED_HOSTS = [
    _host,
    "127.0.0.1",
    "localhost",
    "[::1]",
    *env.words("TALLYGATE_ALLOWED_HOSTS", meaning="further host names of this gateway"),
]
CSRF_TRUSTED_ORIGINS = [TALLYGATE_PUBLIC_URL]
IS_HTTPS = TALLYGATE_PUBLIC_URL.startswith("https://")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TALLYGATE_TRUSTED_PROXIES else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_AGE = 12 * 3600
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DEFAULT_EXCEPTION_REPORTER_FILTER = "gateway_project.error_reports.NoSettings"
# What is left to whoever runs the proxy in front: leading http to https, and what holds for a whole domain.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]

INSTALLED_APPS = [
    "daphne",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.saml",
    "ninja",
    "rest_framework",
    "audit",
    "keys",
    "billing",
    "routing",
    "proxy",
    "console",
    "gateway_project",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "gateway_project.compression.CompressText",
    "csp.middleware.CSPMiddleware",
    "gateway_project.page_headers.PageHeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "gateway_project.middleware.PreferencesMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "keys.sso_saml.SamlTroubleMiddleware",
    "keys.second_factor.SecondFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "gateway_project.middleware.AdminPolicyMiddleware",
]
ROOT_URLCONF = "gateway_project.urls"
ASGI_APPLICATION = "gateway_project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
DATABASES = databases(
    env.text("DATABASE_URL", _from_file.get("database_url", ""), secret=True, meaning="postgresql://… or sqlite:///file.db"), TALLYGATE_HOME
)
DATABASE_ROUTERS = ["gateway_project.databases.BodiesRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ja", "日本語"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.time_zone("TALLYGATE_TIME_ZONE", "UTC", meaning="time zone in which pages show times and months are cut")
USE_TZ = True
TALLYGATE_CURRENCIES = env.currencies(
    "TALLYGATE_CURRENCIES", meaning="further currencies of the pages: how many of each one US dollar is, such as EUR=0.92,JPY=151.3"
)
TALLYGATE_CURRENCIES_AS_OF = env.day("TALLYGATE_CURRENCIES_AS_OF", meaning="day of these rates, such as 2026-11-21; pages name it")

STATIC_URL = "/static/"
STATIC_ROOT = TALLYGATE_HOME / "static"
STATIC_ROOT.mkdir(mode=0o700, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "gateway_project.logs.LineFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "filters": {"no_sockets": {"()": "django.utils.log.CallbackFilter", "callback": is_no_socket}},
    "loggers": {"django.request": {"level": "ERROR"}, "httpx": {"level": "WARNING"}, "uvicorn.error": {"filters": ["no_sockets"]}},
}

# ── keys: sign-in ─────────────────────────────────────────────────────────────
AUTH_USER_MODEL = "keys.User"
AUTHENTICATION_BACKENDS = ["keys.sso_backend.People"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"} for name in ("MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "keys.sso.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key"}
SOCIALACCOUNT_ADAPTER = "keys.sso_sources.SocialAdapter"
SOCIALACCOUNT_PROVIDERS = TALLYGATE_SIGN_IN.apps
# A form could not lead there: form-action allows only ourselves. The link starts a sign-in that the visitor's own session must finish.
SOCIALACCOUNT_LOGIN_ON_GET = True
MFA_ADAPTER = "keys.sso.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = TALLYGATE_SIGN_IN.passwords
MFA_TOTP_ISSUER = "Tallygate"
# A browser takes passkeys over http only from its own machine.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not IS_HTTPS

# ── console ───────────────────────────────────────────────────────────────────
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}
# Unfold's Alpine evaluates expressions and writes style attributes; no page of ours does.
ADMIN_SCRIPT_SRC = [SELF, UNSAFE_EVAL, UNSAFE_INLINE]
ADMIN_STYLE_SRC = [SELF, UNSAFE_INLINE]
ADMIN_IMG_SRC = [SELF, "data:"]
# The reporting API reads and nothing else; every class of it names its own forms of answer.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["console.reports.readers.ByKey", "console.reports.readers.BySession"],
    "DEFAULT_PERMISSION_CLASSES": ["console.reports.readers.KnownReader"],
    "DEFAULT_PARSER_CLASSES": [],
}
UNFOLD = {
    "SITE_TITLE": "Tallygate",
    "SITE_HEADER": "Tallygate",
    "SITE_URL": "/",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": [
        {"title": _("Access"), "items": [
            {"title": _("Keys"), "icon": "key", "link": reverse_lazy("admin:keys_virtualkey_changelist")},
            {"title": _("Teams"), "icon": "groups", "link": reverse_lazy("admin:keys_team_changelist")},
            {"title": _("People"), "icon": "person", "link": reverse_lazy("admin:keys_user_changelist")},
            {"title": _("Organisations"), "icon": "domain", "link": reverse_lazy("admin:keys_organisation_changelist")},
            {"title": _("End users"), "icon": "support_agent", "link": reverse_lazy("admin:keys_enduser_changelist")},
            {"title": _("Tags"), "icon": "label", "link": reverse_lazy("admin:keys_tag_changelist")},
        ]},
        {"title": _("Sign-in"), "items": [
            {"title": _("Linked accounts"), "icon": "link", "link": reverse_lazy("admin:socialaccount_socialaccount_changelist")},
            {"title": _("Second factors"), "icon": "phonelink_lock", "link": reverse_lazy("admin:mfa_authenticator_changelist")},
            {"title": _("Sessions"), "icon": "devices", "link": reverse_lazy("admin:usersessions_usersession_changelist")},
        ]},
        {"title": _("Traffic"), "items": [
            {"title": _("Routes"), "icon": "alt_route", "link": reverse_lazy("admin:routing_route_changelist")},
            {"title": _("Deployments"), "icon": "dns", "link": reverse_lazy("admin:routing_deployment_changelist")},
            {"title": _("Credentials"), "icon": "vpn_key", "link": reverse_lazy("admin:routing_credential_changelist")},
            {"title": _("Routing policy"), "icon": "tune", "link": reverse_lazy("admin:routing_routingpolicy_changelist")},
            {"title": _("Requests"), "icon": "list_alt", "link": reverse_lazy("admin:audit_requestrecord_changelist")},
        ]},
        {"title": _("Money"), "items": [
            {"title": _("Budgets"), "icon": "savings", "link": reverse_lazy("admin:billing_budget_changelist")},
            {"title": _("Budget plans"), "icon": "content_copy", "link": reverse_lazy("admin:billing_budgetplan_changelist")},
            {"title": _("Prices"), "icon": "sell", "link": reverse_lazy("admin:billing_price_changelist")},
            {"title": _("Ledger"), "icon": "receipt_long", "link": reverse_lazy("admin:billing_ledgerentry_changelist")},
            {"title": _("Frozen months"), "icon": "lock_clock", "link": reverse_lazy("admin:billing_frozenmonth_changelist")},
            {"title": _("Windows"), "icon": "date_range", "link": reverse_lazy("admin:billing_window_changelist")},
            {"title": _("Shares"), "icon": "pie_chart", "link": reverse_lazy("admin:billing_share_changelist")},
        ]},
        {"title": _("System"), "items": [
            {"title": _("Audit trail"), "icon": "history", "link": reverse_lazy("admin:audit_auditevent_changelist")},
            {"title": _("Outbox"), "icon": "outbox", "link": reverse_lazy("admin:audit_outbox_changelist")},
            {"title": _("Processes"), "icon": "memory", "link": reverse_lazy("admin:billing_instance_changelist")},
            {"title": _("Kept bodies"), "icon": "article", "link": reverse_lazy("admin:audit_requestbody_changelist")},
            {"title": _("Roll-ups"), "icon": "stacked_bar_chart", "link": reverse_lazy("admin:audit_rollup_changelist")},
            {"title": _("Roll-ups of tags"), "icon": "sell", "link": reverse_lazy("admin:audit_tagrollup_changelist")},
            {"title": _("Spend and request pages"), "icon": "bar_chart", "link": "/"},
        ]},
    ]},
}  # fmt: skip
