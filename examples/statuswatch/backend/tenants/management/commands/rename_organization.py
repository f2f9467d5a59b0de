"""Give an organization another name; its host and its schema stay."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from tenants.models import Client


class Command(BaseCommand):
    """See the module."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema_name")
        parser.add_argument("name")

    def handle(self, *, schema_name: str, name: str, **_: object) -> None:
        client = Client.objects.filter(schema_name=schema_name).first()
        if client is None:
            raise CommandError(f"There is no organization with the schema {schema_name}.")
        if Client.objects.filter(name__iexact=name).exclude(pk=client.pk).exists():
            raise CommandError(f"Another organization is called {name}.")
        Client.objects.filter(pk=client.pk).update(name=name)
        self.stdout.write(f"{schema_name}: {client.name} -> {name}")
