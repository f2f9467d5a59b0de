"""The document's seven scenarios on its own app: dev, stage and prod up at once on one engine.

The fixture is the README of `examples/community`, line by line. Proved elsewhere: a tag pushed
again, two who promote at once, files changed after stage (test_promotion.py); rotation and the way
back, and a deploy that a bad secret stops (test_secrets.py); overrides (test_check.py).
"""

import asyncio
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenario.commands import docker
from tests.scenario.community import ENVIRONMENTS, Checkout, Community, commands_of, follow_readme
from tests.scenario.server import Server

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

WEAK = "Tr0ub4dor"
PLACEHOLDER = "change-me-in-production-change-me-in-production-change-me"


@pytest.fixture(scope="module")
def checkout(server: Server) -> Iterator[Checkout]:
    """Three environments up and one artifact promoted."""
    made = follow_readme(server)
    try:
        yield made
    finally:
        asyncio.run(made.destroy())


async def asked_on(app: Community, host: str) -> int:
    """The status that a host gets on the entrypoint of an environment."""
    reader, writer = await app.connect()
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    text = (await asyncio.wait_for(reader.read(), 30)).decode()
    writer.close()
    return int(text.split(" ")[1])


@pytest.mark.requirement("R368")
async def test_every_environment_renders(checkout: Checkout) -> None:
    await checkout.type("make config-check-all")


@pytest.mark.requirement("R369")
@pytest.mark.requirement("R376")
@pytest.mark.requirement("R379")
async def test_three_environments_run_beside_each_other_and_share_no_name(
    checkout: Checkout,
) -> None:
    found = [await checkout.used(name) for name in ENVIRONMENTS]
    for kind in ("container", "network", "volume"):
        assert all(one[kind] for one in found), found
        for one, other in itertools.combinations(found, 2):
            assert one[kind].isdisjoint(other[kind])
    ports = [await checkout.published(name) for name in ENVIRONMENTS]
    on_loopback = {("127.0.0.1", str(port)) for port in (checkout.web, checkout.api)}
    assert ports == [on_loopback, set(), set()]


async def test_berth_dev_is_plain_compose_on_the_same_project(checkout: Checkout) -> None:
    before = await checkout.used("dev")
    await checkout.type("berth dev up --detach --wait")
    assert await checkout.used("dev") == before


@pytest.mark.requirement("R370")
async def test_a_host_is_answered_by_its_own_environment_only(checkout: Checkout) -> None:
    stage, prod = checkout.stage, checkout.prod
    (tag,) = checkout.tags
    assert [await stage.version(), await prod.version()] == [(tag, "stage"), (tag, "prod")]
    assert [await asked_on(stage, prod.host), await asked_on(prod, stage.host)] == [421, 421]


@pytest.mark.requirement("R371")
@pytest.mark.requirement("R377")
async def test_the_same_commit_again_touches_no_container(checkout: Checkout) -> None:
    stage, prod = checkout.stage, checkout.prod
    assert await stage.images() == await prod.images()
    before = {app.stack: await app.started(*await app.containers()) for app in (stage, prod)}
    assert "nothing changed" in (await stage.deploy(checkout.tags[0])).out
    assert "nothing changed" in (await stage.done("promote", "stage", "prod")).out
    assert before == {
        app.stack: await app.started(*await app.containers()) for app in (stage, prod)
    }


@pytest.mark.requirement("R373")
@pytest.mark.parametrize(
    ("name", "content", "mode", "complaint"),
    [
        ("jwt_secret", None, 0o600, "missing"),
        ("db_password", None, 0o600, "missing"),
        ("db_server_key", None, 0o600, "missing"),
        ("jwt_secret", PLACEHOLDER, 0o600, "placeholder"),
        ("db_password", "postgres", 0o600, "placeholder"),
        ("jwt_secret", WEAK, 0o600, "weak"),
        ("db_password", WEAK, 0o600, "weak"),
        ("db_password", "", 0o644, "permissions"),
        ("db_server_key", "", 0o640, "permissions"),
    ],
)
async def test_each_bad_secret_is_refused_by_the_check(
    checkout: Checkout, name: str, content: str | None, mode: int, complaint: str
) -> None:
    path = checkout.folder / "secrets/stage" / name
    good = path.read_bytes()
    try:
        _spoil(path, content, mode)
        done = await checkout.stage.berth("secrets", "check", "stage", "--json")
        assert done.code == 2, done.said
        findings = {(item["rule"], item["name"]) for item in json.loads(done.out)["findings"]}
        assert (complaint, name) in findings
        assert not content or content not in done.said
    finally:
        path.write_bytes(good)
        path.chmod(0o600)


def _spoil(path: Path, content: str | None, mode: int) -> None:
    """None removes it, an empty text leaves its content."""
    if content is None:
        path.unlink()
        return
    if content:
        path.write_text(content)
    path.chmod(mode)


@pytest.mark.requirement("R357")
@pytest.mark.requirement("R375")
async def test_check_and_application_refuse_a_database_without_tls(checkout: Checkout) -> None:
    tag, prod = checkout.tags[0], checkout.prod
    try:
        prod.edit(".env.prod", "DB_SSLMODE=verify-full", "DB_SSLMODE=disable")
        asked = await prod.berth("check", "prod", "--tag", tag)
        assert asked.code == 2
        assert "database_tls" in asked.said
        assert "[database_tls]" in (await prod.deploy(tag, code=2)).err
        started = await checkout.try_out("make", "config-sanity", "ENVIRONMENT=prod", IMAGE_TAG=tag)
        assert started.code != 0
        assert "DB_SSLMODE must be one of" in started.said
    finally:
        prod.edit(".env.prod", "DB_SSLMODE=disable", "DB_SSLMODE=verify-full")
    assert await prod.version() == (tag, "prod")


@pytest.mark.requirement("R374")
@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("privileged: true", "policy.privileged"),
        ("cap_add: [SYS_ADMIN]", "policy.capabilities"),
    ],
)
async def test_the_policy_refuses_what_an_overlay_adds(
    checkout: Checkout, line: str, complaint: str
) -> None:
    stage = checkout.stage
    try:
        stage.edit("compose.stage.yml", "services:\n  app:\n", f"services:\n  app:\n    {line}\n")
        asked = await stage.berth("check", "stage", "--tag", checkout.tags[0])
        assert asked.code == 2, asked.said
        assert complaint in asked.said
    finally:
        stage.edit("compose.stage.yml", f"    {line}\n", "")
    await checkout.type("make versions-check")


@pytest.mark.requirement("R372")
async def test_the_runbook_leads_from_check_to_rollback(checkout: Checkout) -> None:
    first = checkout.tags[0]
    checkout.prod.edit("frontend/public/index.html", "</body>", "<!-- 2 --></body>")
    second = await checkout.commit()
    await checkout.type("make build push", IMAGE_TAG=second)
    *blocks, turn_back = commands_of("docs/operations/deploy.md")
    await checkout.type("\n".join(blocks))
    assert await checkout.prod.version() == (second, "prod")
    await checkout.type(turn_back, LAST_GOOD=first)
    assert await checkout.prod.version() == (first, "prod")
    assert await checkout.stage.version() == (second, "stage")


async def test_what_one_environment_throws_away_another_keeps(checkout: Checkout) -> None:
    stage, prod = checkout.stage, checkout.prod
    before, images = await prod.started(*await prod.containers()), await prod.images()
    await stage.done("destroy", stage.stack, "--confirm", stage.stack)
    assert await prod.started(*await prod.containers()) == before
    await docker("image", "inspect", *images.values())
    assert (await prod.ask("/health/ready")).status == 200
    assert (await checkout.used("dev"))["container"]
