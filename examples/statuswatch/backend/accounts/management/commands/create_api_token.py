"""Make a token for a program: tenant_command create_api_token USER --name NAME --schema=TENANT."""

from argparse import ArgumentParser

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from accounts.models import ApiToken


class Command(BaseCommand):
    """See the module."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="made by an operator", help="what it is for")

    def handle(self, *, username: str, name: str, **_: object) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username}.")
        _token, key = ApiToken.issue(user, name)
        self.stdout.write(f"Generated token {key} for user {username}")
