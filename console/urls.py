"""Addresses of the web: our pages, then the management API beside them."""

from django.urls import include, path
from django.views.generic import RedirectView

from console.pages.audit import audit_check, audit_csv, audit_event, audit_list, audit_xlsx
from console.pages.budgets import budget_detail, budget_list, budget_new
from console.pages.chargeback import (
    chargeback_csv,
    chargeback_freeze,
    chargeback_page,
    chargeback_text,
    chargeback_unfreeze,
    chargeback_xlsx,
)
from console.pages.connect import connect
from console.pages.home import home
from console.pages.key_issue import key_new
from console.pages.keys import key_block, key_change, key_detail, key_list, key_revoke, key_rotate
from console.pages.language import set_language
from console.pages.live import live
from console.pages.members import member_add, member_change, member_remove
from console.pages.models import model_detail, model_list, model_test
from console.pages.people import people_list, person_block, person_detail, person_role
from console.pages.preferences import preferences
from console.pages.requests import request_detail, request_list
from console.pages.sessions import session_csv, session_detail, session_list
from console.pages.spend import spend_csv, spend_page, spend_xlsx
from console.pages.teams import team_block, team_change, team_detail, team_list, team_new
from console.pages.theme import set_theme

urlpatterns = [
    path("", home, name="home"),
    path("spend/", spend_page, name="spend"),
    path("spend/spend.csv", spend_csv, name="spend_csv"),
    path("spend/spend.xlsx", spend_xlsx, name="spend_xlsx"),
    path("chargeback/", chargeback_page, name="chargeback"),
    path("chargeback/chargeback.csv", chargeback_csv, name="chargeback_csv"),
    path("chargeback/chargeback.xlsx", chargeback_xlsx, name="chargeback_xlsx"),
    path("chargeback/frozen.txt", chargeback_text, name="chargeback_text"),
    path("chargeback/freeze/", chargeback_freeze, name="chargeback_freeze"),
    path("chargeback/unfreeze/", chargeback_unfreeze, name="chargeback_unfreeze"),
    path("budgets/", budget_list, name="budgets"),
    path("budgets/new/", budget_new, name="budget_new"),
    path("budgets/<int:budget_id>/", budget_detail, name="budget"),
    path("keys/", key_list, name="keys"),
    path("keys/new/", key_new, name="key_new"),
    path("keys/<str:key_id>/", key_detail, name="key"),
    path("keys/<str:key_id>/change/", key_change, name="key_change"),
    path("keys/<str:key_id>/block/", key_block, name="key_block"),
    path("keys/<str:key_id>/rotate/", key_rotate, name="key_rotate"),
    path("keys/<str:key_id>/revoke/", key_revoke, name="key_revoke"),
    path("connect/", connect, name="connect"),
    path("live/", live, name="live"),
    path("requests/", request_list, name="requests"),
    path("requests/<str:request_id>/", request_detail, name="request"),
    path("sessions/", session_list, name="sessions"),
    path("sessions/sessions.csv", session_csv, name="session_csv"),
    path("sessions/<path:name>/", session_detail, name="session"),
    path("teams/", team_list, name="teams"),
    path("teams/new/", team_new, name="team_new"),
    path("teams/<path:team_id>/members/<path:user_id>/role/", member_change, name="member_change"),
    path("teams/<path:team_id>/members/<path:user_id>/remove/", member_remove, name="member_remove"),
    path("teams/<path:team_id>/members/", member_add, name="member_add"),
    path("teams/<path:team_id>/change/", team_change, name="team_change"),
    path("teams/<path:team_id>/block/", team_block, name="team_block"),
    path("teams/<path:team_id>/", team_detail, name="team"),
    path("people/", people_list, name="people"),
    path("people/<path:user_id>/role/", person_role, name="person_role"),
    path("people/<path:user_id>/block/", person_block, name="person_block"),
    path("people/<path:user_id>/", person_detail, name="person"),
    path("routes/", model_list, name="models"),
    path("routes/<path:route_id>/test/", model_test, name="model_test"),
    path("routes/<path:route_id>/", model_detail, name="model"),
    path("preferences/", preferences, name="preferences"),
    path("language/", set_language, name="language"),
    path("audit/", audit_list, name="audit"),
    path("audit/audit.csv", audit_csv, name="audit_csv"),
    path("audit/audit.xlsx", audit_xlsx, name="audit_xlsx"),
    path("audit/check/", audit_check, name="audit_check"),
    path("audit/<int:event_id>/", audit_event, name="audit_event"),
    path("theme/", set_theme, name="theme"),
    path("ui", RedirectView.as_view(pattern_name="home")),
    path("ui/", RedirectView.as_view(pattern_name="home")),
    path("api/reports/", include("console.reports.urls")),
    path("", include("console.management.urls")),
]
