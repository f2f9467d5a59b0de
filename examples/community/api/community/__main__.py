"""`python -m community serve|migrate|check-config`."""

import argparse
import sys

from pydantic import ValidationError

from community.settings import Settings, problems_of

# Requests may take so long to end after SIGTERM; `stop_grace_period` of the Compose file is longer.
DRAIN_SECONDS = 25


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 2 when the settings are wrong."""
    parser = argparse.ArgumentParser(prog="community")
    parser.add_argument("command", choices=["serve", "migrate", "check-config"])
    parser.add_argument("--reload", action="store_true", help="start again when a file changes (dev)")
    given = parser.parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as exc:
        for problem in problems_of(exc):
            print(f"config: {problem}", file=sys.stderr)
        return 2
    if given.command == "migrate":
        from community import schema

        schema.migrate(settings)
    elif given.command == "serve":
        _serve(settings, reload=given.reload)
    else:
        print(f"config: good for {settings.app_env}")
    return 0


def _serve(settings: Settings, *, reload: bool) -> None:
    import uvicorn

    uvicorn.run(
        "community.app:create_app",
        factory=True,
        host="0.0.0.0",  # noqa: S104  the container's own network
        port=settings.port,
        reload=reload,
        reload_dirs=["community"] if reload else None,
        access_log=settings.app_env == "dev",
        forwarded_allow_ips=settings.forwarded_allow_ips,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


if __name__ == "__main__":
    sys.exit(main())
