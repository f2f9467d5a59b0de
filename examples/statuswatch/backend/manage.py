"""Django's command line, with the one hook a release broken on request needs."""

import os
import sys

from app import breakage


def main() -> None:
    """Run one management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")
    from django.core.management import execute_from_command_line

    breakage.before_command(sys.argv[1:])
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
