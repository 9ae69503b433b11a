"""What Django's page of details (TALLYGATE_DEBUG) shows beside the error: no setting, for addresses of stores hold passwords too."""

from typing import Any

from django.views.debug import SafeExceptionReporterFilter


class NoSettings(SafeExceptionReporterFilter):
    def get_safe_settings(self) -> dict[str, Any]:
        return {}
