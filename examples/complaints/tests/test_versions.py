"""v2, and the schema that both releases can use: each tree runs in a process of its own, as in a rollout."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cms.core import schema
from cms.core.settings import Settings

EXAMPLE = Path(__file__).parents[1]
FILE = """
import os, sys, json
from starlette.testclient import TestClient
from cms.app import create_app
from cms.auth import tokens
with TestClient(create_app()) as client:
    def post(path, **body):
        answer = client.post(path, json=body, headers={"X-CSRF-Token": client.cookies.get(tokens.CSRF, "")})
        return answer.status_code
    who = {"email": "cora@example.com", "password": "Correct-horse-7"}
    if post("/auth/login", **who) != 200:
        post("/auth/register", name="Cora", **who)
    statuses = [post("/complaints", title="It is broken", body="Yes.", account=text) for text in sys.argv[1:]]
    found = client.get("/complaints").json()
    ready = client.get("/health/ready").json()
    print(json.dumps({"statuses": statuses, "label": found["account_label"], "ready": ready["migrations"],
        "accounts": [one["account"] for one in found["items"]]}))
"""


@pytest.fixture
def database(settings: Settings) -> Iterator[Settings]:
    """A database of its own."""
    with schema.connect(settings) as connection:
        connection.execute("DROP DATABASE IF EXISTS versions WITH (FORCE)")
        connection.execute("CREATE DATABASE versions")
        yield replace(settings, db_name="versions")
        connection.execute("DROP DATABASE versions WITH (FORCE)")


@pytest.fixture
def run(tmp_path: Path, database: Settings) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python in the tree of v1 or v2."""
    for version in ("v1", "v2"):
        shutil.copytree(EXAMPLE / "cms", tmp_path / version / "cms", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(EXAMPLE / "static", tmp_path / version / "static")
    shutil.copytree(EXAMPLE / "versions/v2", tmp_path / "v2", dirs_exist_ok=True)
    variables = {
        "APP_ENV": "development",
        "DB_HOST": database.db_host,
        "DB_PORT": str(database.db_port),
        "DB_NAME": database.db_name,
        "DB_PASSWORD": database.db_password,
        "JWT_SECRET": database.jwt_secret,
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def begin(version: str, *words: str) -> subprocess.CompletedProcess[str]:
        # NOTE: `-c` puts the folder it runs in first on the path, and so does `-m`.
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path / version,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return begin


def filed(run: Callable[..., Any], version: str, *accounts: str) -> dict[str, Any]:
    done = run(version, "-c", FILE, *accounts)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_v1_and_v2_run_on_the_schema_of_v2(run: Callable[..., Any]) -> None:
    assert run("v1", "-m", "cms", "migrate").returncode == 0
    assert filed(run, "v1", "ACC-7", "0042", "")["accounts"] == ["", "0042", "ACC-7"]
    done = run("v2", "-m", "cms", "migrate")
    assert done.stdout.strip() == "migrate: 0002_account_number"
    second = filed(run, "v2", "13", "see letter")
    assert second["statuses"] == [201, 422]
    assert second["label"] == "Account number"
    assert second["accounts"] == ["ACC-000013", "", "ACC-000042", "ACC-000007"]
    first = filed(run, "v1", "see letter")  # a rollback: the old code on the new schema
    assert (first["ready"], first["label"], first["accounts"][:2]) == ("ok", "Account", ["see letter", "13"])
    assert filed(run, "v2")["accounts"][:2] == ["see letter", "ACC-000013"]


def test_data_of_one_client_stops_the_migration_and_v1_goes_on(run: Callable[..., Any]) -> None:
    run("v1", "-m", "cms", "migrate")
    filed(run, "v1", "ACC-7", "see letter")
    done = run("v2", "-m", "cms", "migrate")
    assert done.returncode == 1
    assert 'invalid input syntax for type bigint: "see letter"' in done.stderr
    assert filed(run, "v1", "8")["accounts"] == ["8", "see letter", "ACC-7"]
