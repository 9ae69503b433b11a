"""Addresses of the web: our pages, then the management API beside them."""

from django.urls import include, path
from django.views.generic import RedirectView

from console.pages.home import home
from console.pages.requests import request_detail, request_list
from console.pages.spend import spend_page
from console.pages.theme import set_theme

urlpatterns = [
    path("", home, name="home"),
    path("spend/", spend_page, name="spend"),
    path("requests/", request_list, name="requests"),
    path("requests/<str:request_id>/", request_detail, name="request"),
    path("theme/", set_theme, name="theme"),
    path("ui", RedirectView.as_view(pattern_name="home")),
    path("ui/", RedirectView.as_view(pattern_name="home")),
    path("", include("console.management.urls")),
]
