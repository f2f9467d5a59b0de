"""The application as a whole: where the modules are put together."""

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings


class Composition(AppConfig):
    """Gives every process the one Celery application, so that a task goes to our broker whoever sends it."""

    name = "app"

    def ready(self) -> None:
        """Load it once the modules are there, and report errors where production says to whom."""
        import_module("app.celery")
        if settings.SENTRY_DSN:
            import_module("app.reporting").start()
