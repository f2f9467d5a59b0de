"""Secrets from their making to their rotation and back, on a real engine and a real PostgreSQL."""

import hashlib

import pytest
from tests.scenario.commands import end, start
from tests.scenario.dsl import App, MakeApp

pytestmark = pytest.mark.docker

AWKWARD = "a$b $${C} ${D} 'single' \"double\" \\n kB7vQ2mZ9xW4tR8n\nsecond $line\u00e9"
HASH = "import hashlib,os,sys;sys.stdout.write(hashlib.sha256({}).hexdigest())"


async def made(app: MakeApp) -> App:
    shop = app("vaulted")
    await shop.done("secrets", "init", "prod")
    await shop.deploy("v1")
    return shop


async def can_log_in(shop: App, release: int) -> bool:
    """With the password that this release's web container has, over the network."""
    web = f"{shop.project}-r{release}-web-1"
    password = await shop.exec(web, "cat", "/run/secrets/db_password")
    address = (await shop.exec(f"{shop.project}-db-1", "hostname", "-i")).split()[0]
    words = ("psql", "-w", "-h", address, "-U", "shop", "-d", "shop", "-Atc", "SELECT 1")
    line = f"PGPASSWORD={password}"
    found = await shop.exec(
        f"{shop.project}-db-1", "sh", "-c", '"$@" 2>&1 || true', "x", "env", line, *words
    )
    return found.strip() == "1"


@pytest.mark.requirement("R373")
async def test_a_rotated_database_password_works_and_a_rollback_brings_the_old_one(
    app: MakeApp,
) -> None:
    shop = await made(app)
    first = (shop.folder / "secrets/prod/db_password").read_text()
    database = await shop.started(f"{shop.project}-db-1")
    assert await can_log_in(shop, 1)
    done = await shop.done("secrets", "rotate", shop.stack, "db_password")
    second = (shop.folder / "secrets/prod/db_password").read_text()
    assert first != second
    assert not [value for value in (first, second) if value in done.said]
    assert (await can_log_in(shop, 2), await can_log_in(shop, 1)) == (True, False)
    await shop.done("rollback", shop.stack)
    assert (await can_log_in(shop, 1), await can_log_in(shop, 2)) == (True, False)
    await shop.deploy("v2")  # the file has the second password
    assert (await shop.ask()).version == "v2"
    assert await can_log_in(shop, 3)
    assert await shop.started(f"{shop.project}-db-1") == database
    log = await end(await start("docker", "logs", f"{shop.project}-db-1"))
    assert second not in log.said


async def test_a_rotation_that_fails_leaves_password_file_and_release_as_they_were(
    app: MakeApp,
) -> None:
    shop = await made(app)
    before = (shop.folder / "secrets/prod/db_password").read_bytes()
    env = {"BERTHMASTER_FAILPOINT": "Switch:before!"}
    done = await shop.berth("secrets", "rotate", shop.stack, "db_password", env=env)
    assert done.code != 0, done.said
    assert (shop.folder / "secrets/prod/db_password").read_bytes() == before
    assert await can_log_in(shop, 1)
    assert (await shop.ask()).version == "v1"


@pytest.mark.requirement("R333")
async def test_values_reach_the_container_byte_for_byte(app: MakeApp) -> None:
    shop = app("vaulted")
    shop.secret("token", AWKWARD).secret("SESSION_SECRET", AWKWARD)
    shop.secret("STRAY", "kB7vQ2mZ9xW4tR8nL3pJ6hF5dS1gA0cY")
    await shop.done("secrets", "init", "prod")
    await shop.deploy("v1")
    wanted = hashlib.sha256(AWKWARD.encode()).hexdigest()
    web = f"{shop.project}-r1-web-1"
    by_file = HASH.format("open('/run/secrets/token','rb').read()")
    by_variable = HASH.format("os.environb[b'SESSION_SECRET']")
    assert await shop.exec(web, "python", "-c", by_file) == wanted
    assert await shop.exec(web, "python", "-c", by_variable) == wanted
    shown = await shop.done("show", "--json")
    assert "STRAY" not in shown.out
    assert "STRAY" not in await shop.exec(web, "env")


@pytest.mark.requirement("R338")
@pytest.mark.parametrize(
    ("name", "content", "mode", "complaint"),
    [
        ("db_password", None, 0o600, "secrets_set"),
        ("db_password", "changeme", 0o600, "secret_placeholder"),
        ("db_password", "Tr0ub4dor", 0o600, "secret_strength"),
        ("token", "kB7vQ2mZ9xW4tR8nL3pJ6hF5dS1gA0cY", 0o644, "secret_permissions"),
    ],
)
async def test_a_bad_secret_stops_a_deploy_before_anything_changes(
    app: MakeApp, name: str, content: str | None, mode: int, complaint: str
) -> None:
    shop = app("vaulted")
    await shop.done("secrets", "init", "prod")
    path = shop.folder / "secrets/prod" / name
    path.unlink()
    if content is not None:
        shop.secret(name, content)
        path.chmod(mode)
    done = await shop.deploy("v1", code=2)
    assert complaint in done.err
    assert "berth secrets" in done.err or "chmod 600" in done.err
    assert not [item for item in await shop.world() if not item.startswith("owner")]


async def test_a_lost_key_stops_the_deploy_and_says_what_to_type(app: MakeApp) -> None:
    shop = await made(app)
    key = shop.server.state / "secret.key"
    aside = key.rename(key.with_name("aside"))
    try:
        for words in (("deploy", shop.stack, "--tag", "v2"), ("rollback", shop.stack)):
            done = await shop.berth(*words)
            assert done.code in (2, 3), done.said
        assert "secret.key" in done.err or "no older release" in done.err
        assert not key.exists()
        assert (await shop.ask()).version == "v1"
    finally:
        aside.rename(key)
