"""The door of WebSockets: allowed hosts, session, person, then the one page that has a socket."""

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from django.urls import path, re_path

from console.live.consumer import LiveConsumer

websocket_application: Any = AllowedHostsOriginValidator(
    AuthMiddlewareStack(URLRouter([path("live/socket/", LiveConsumer.as_asgi()), re_path("", WebsocketDenier.as_asgi())]))
)
