"""The console as Django knows it, and what one process has of the Live page."""

from typing import TYPE_CHECKING, cast

from django.apps import AppConfig, apps

if TYPE_CHECKING:
    from console.live.hub import Hub


class ConsoleConfig(AppConfig):
    """`live` is the process's one hub of Live pages."""

    name = "console"
    live: "Hub"

    def ready(self) -> None:
        from console.live.hub import Hub

        self.live = Hub()


def live_of_this_process() -> "Hub":
    return cast(ConsoleConfig, apps.get_app_config("console")).live
