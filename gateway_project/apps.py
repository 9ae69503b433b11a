from django.apps import AppConfig

from gateway_project import field_names


class GatewayProjectConfig(AppConfig):
    name = "gateway_project"
    verbose_name = "Tallygate"

    def ready(self) -> None:
        field_names.translate()
