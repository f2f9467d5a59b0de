"""The promise behind `compatible: yes`: version 1 runs on the schema of version 2, and every later one is built so."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

EXAMPLE = Path(__file__).parent.parent
DATABASE = "statuswatch_versions"
USE_ENDPOINT = """
from django.utils import timezone
from django_tenants.utils import schema_context
from health.checks import check_migrations
from monitors.models import Endpoint
from monitors.probe import Outcome
with schema_context("acme"):
    endpoint, _ = Endpoint.objects.get_or_create(url="http://192.0.2.%d/", defaults={"name": "n"})
    endpoint.record(Outcome("200", 7), timezone.now())
    print(Endpoint.objects.count(), getattr(endpoint, "status_since", None) is not None, check_migrations())
"""


@pytest.fixture
def database() -> Iterator[str]:
    values = settings.DATABASES["default"]
    server = psycopg.connect(
        host=values["HOST"],
        port=values["PORT"],
        user=values["USER"],
        password=values["PASSWORD"],
        dbname="postgres",
        autocommit=True,
    )
    with server:
        server.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        server.execute(f"CREATE DATABASE {DATABASE}")
        yield DATABASE
        server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The source tree of version 2, made as the Dockerfile makes it."""
    tree = tmp_path / "v2"
    shutil.copytree(EXAMPLE / "backend", tree)
    shutil.copytree(EXAMPLE / "versions/v2", tree, dirs_exist_ok=True)
    return tree


def manage(tree: Path, *arguments: str) -> str:
    environment = {**os.environ, "POSTGRES_DB": DATABASE, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True, text=True).stdout


def test_the_old_release_runs_on_the_schema_of_the_new_one(database: str, newer: Path) -> None:
    older = EXAMPLE / "backend"
    manage(older, "migrate_schemas", "--noinput", "-v0")
    manage(older, "seed_demo")
    assert "acme lacks 1, first monitors.0100" in manage(newer, "shell", "-v0", "-c", READY)
    manage(newer, "migrate_schemas", "--noinput", "-v0")
    assert manage(older, "shell", "-v0", "-c", USE_ENDPOINT % 1).strip() == "3 False ok"
    assert manage(newer, "shell", "-v0", "-c", USE_ENDPOINT % 2).strip() == "4 True ok"
    assert manage(older, "shell", "-v0", "-c", USE_ENDPOINT % 3).strip() == "5 False ok"


READY = "from health.checks import check_migrations; print(check_migrations())"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_no_version_lacks_a_migration(version: str, newer: Path) -> None:
    tree = newer if version == "v2" else EXAMPLE / "backend"
    manage(tree, "makemigrations", "--check", "--dry-run")
