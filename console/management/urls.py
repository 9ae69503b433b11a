"""Addresses of the management API (LiteLLM's paths) and of the one-time sign-in link."""

from django.urls import path
from ninja import NinjaAPI
from ninja.errors import HttpError

from audit.rows import ChangeRefused
from console.asker import Overreach
from console.management import (
    activity,
    budgets,
    configuration,
    credentials,
    customers,
    general_settings,
    global_spend,
    health,
    keys,
    models,
    organisation_members,
    organisations,
    spend,
    tags,
    teams,
    users,
)
from console.management.errors import Refused, answer_change_refused, answer_overreach, answer_refused, answer_unreadable
from console.management.wire import JsonParser, JsonRenderer
from keys.sso import login_by_link

api = NinjaAPI(
    title="Tallygate management API", urls_namespace="management", parser=JsonParser(), renderer=JsonRenderer(),
    docs_url="/api/docs", openapi_url="/api/openapi.json",
)  # fmt: skip
api.add_router("", keys.router)
api.add_router("", teams.router)
api.add_router("", users.router)
api.add_router("", budgets.router)
api.add_router("", health.router)
api.add_router("", models.router)
api.add_router("", organisations.router)
api.add_router("", configuration.router)
for module in (spend, global_spend, activity, customers, tags, organisation_members, credentials, general_settings):
    api.add_router("", module.router)
api.exception_handler(Refused)(answer_refused)
api.exception_handler(Overreach)(answer_overreach)
api.exception_handler(ChangeRefused)(answer_change_refused)
api.exception_handler(HttpError)(answer_unreadable)

urlpatterns = [path("login/<str:uid>/<str:token>/", login_by_link, name="login_by_link"), path("", api.urls)]
