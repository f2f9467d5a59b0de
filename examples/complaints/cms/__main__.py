"""`python -m cms serve|migrate|seed|check-config`."""

import argparse
import os
import sys

import psycopg

from cms.core import schema
from cms.core.settings import BadSettings, Settings, read_settings

# Requests may take so long to end after SIGTERM; `stop_grace_period` of the Compose file is longer.
DRAIN_SECONDS = 15


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 2 when the settings are wrong, 1 when a migration fails."""
    parser = argparse.ArgumentParser(prog="cms")
    parser.add_argument("command", choices=["serve", "migrate", "seed", "check-config"])
    parser.add_argument("--bad-account", action="store_true", help="seed: with a complaint that v2 cannot take over")
    given = parser.parse_args(arguments)
    try:
        settings = read_settings(os.environ)
    except BadSettings as exc:
        print(exc, file=sys.stderr)
        return 2
    try:
        print(
            {"migrate": _migrate, "serve": _serve, "check-config": _check}[given.command](settings)
            if given.command != "seed"
            else _seed(settings, given.bad_account)
        )
    except (schema.MigrationFailed, psycopg.OperationalError) as exc:
        print(f"{given.command}: {exc}", file=sys.stderr)
        return 1
    return 0


def _check(settings: Settings) -> str:
    return f"config: good for {settings.environment}"


def _migrate(settings: Settings) -> str:
    from cms import people

    applied = schema.migrate(settings)
    made = people.make_first(settings)
    return f"migrate: {', '.join(applied) or 'nothing to do'}{'; made the first administrator' if made else ''}"


def _seed(settings: Settings, bad_account: bool) -> str:
    from cms import people

    return people.seed(settings, bad_account=bad_account)


def _serve(settings: Settings) -> str:
    import uvicorn

    from cms.app import create_app

    uvicorn.run(
        create_app(settings),
        host="0.0.0.0",  # noqa: S104  the container's own network
        port=settings.port,
        access_log=settings.environment == "development",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return "served"


if __name__ == "__main__":
    sys.exit(main())
