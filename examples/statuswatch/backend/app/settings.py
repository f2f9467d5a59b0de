"""The router: DJANGO_ENV chooses the settings. Every image sets `production` explicitly."""

import os

if os.environ.get("DJANGO_ENV", "development") == "production":
    from app.settings_production import *  # noqa: F403
else:
    from app.settings_development import *  # noqa: F403
