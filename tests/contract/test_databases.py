"""The databases port: one suite for the in-memory twin and a real PostgreSQL."""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.contract.docker_world import POSTGRES, Names, real_runtime

from berthmaster.adapters.docker import AiodockerRuntime
from berthmaster.adapters.postgres import PostgresDumps
from berthmaster.domain.domainpolicy import DomainPolicy, DomainRow, RowChange
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.spec import RowSource
from berthmaster.planner.domainfix import plan_domain_fix
from berthmaster.ports.databases import Databases
from berthmaster.ports.runtime import Runtime
from berthmaster.testing.databases import FakeDatabases
from berthmaster.testing.runtime import FakeRuntime

PASSWORD = "planted-s3cret"


@dataclass(slots=True)
class Subject:
    """A databases port and a running server."""

    databases: Databases
    runtime: Runtime
    container: str


@pytest.fixture(params=["twin", pytest.param("real", marks=pytest.mark.docker)])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    if request.param == "twin":
        runtime = FakeRuntime()
        image = runtime.world.add_image(POSTGRES)
        runtime.world.add_container("db", image, labels={"berthmaster.test": "x"})
        await runtime.start("db")
        yield Subject(FakeDatabases(runtime.world), runtime, "db")
        return
    names = Names()
    async with real_runtime(names) as real:
        container = await _start_postgres(real, names)
        yield Subject(PostgresDumps(real), real, container)


async def _start_postgres(runtime: AiodockerRuntime, names: Names) -> str:
    name = f"{names.prefix}-db"
    environment = [f"POSTGRES_PASSWORD={PASSWORD}", "POSTGRES_USER=shop", "POSTGRES_DB=shop"]
    config: dict[str, Any] = {"Image": POSTGRES, "Env": environment, "Labels": names.labels}
    container = await runtime._docker.containers.create(config, name=name)
    await container.start()
    # NOTE: over TCP, because while it prepares itself the server listens on its socket only.
    ready = ["timeout", "120", "sh", "-c", "until pg_isready -qh 127.0.0.1; do sleep 0.1; done"]
    assert (await runtime.execute(name, ready, timeout_seconds=150)).exit_code == 0
    return name


@pytest.mark.parametrize(
    ("image", "is_known"),
    [(POSTGRES, True), ("postgres@sha256:" + "0" * 64, True), ("registry.test/shop:1", False)],
)
@pytest.mark.parametrize("databases", [FakeDatabases(), PostgresDumps(FakeRuntime())])
def test_a_database_is_known_by_its_image(databases: Databases, image: str, is_known: bool) -> None:
    assert databases.can_dump(image, {"POSTGRES_HOST": "db"}) is is_known


async def test_a_restore_point_has_the_name_asked_for(subject: Subject, tmp_path: Path) -> None:
    point = await subject.databases.take(subject.container, tmp_path, "d41-before")
    assert (point.name, point.path) == ("d41-before", tmp_path / "d41-before")
    assert point.size_bytes > 0


async def test_taking_it_twice_keeps_the_first(subject: Subject, tmp_path: Path) -> None:
    first = await subject.databases.take(subject.container, tmp_path, "d41")
    await subject.runtime.stop(subject.container, 10)
    assert await subject.databases.take(subject.container, tmp_path, "d41") == first


async def test_a_server_that_does_not_run_cannot_be_dumped(
    subject: Subject, tmp_path: Path
) -> None:
    await subject.runtime.stop(subject.container, 10)
    with pytest.raises(OutsideError, match="does not run"):
        await subject.databases.take(subject.container, tmp_path, "d41")
    assert os.listdir(tmp_path) == []


async def test_sessions_of_nobody_are_no_error(subject: Subject) -> None:
    assert await subject.databases.end_sessions(subject.container, ("192.0.2.7",)) == 0
    assert await subject.databases.end_sessions(subject.container, ()) == 0


async def test_a_server_that_does_not_run_has_no_sessions_to_end(subject: Subject) -> None:
    await subject.runtime.stop(subject.container, 10)
    with pytest.raises(OutsideError, match="does not run"):
        await subject.databases.end_sessions(subject.container, ("192.0.2.7",))


@pytest.fixture
async def server() -> AsyncIterator[Subject]:
    names = Names()
    async with real_runtime(names) as real:
        container = await _start_postgres(real, names)
        yield Subject(PostgresDumps(real), real, container)


async def _sql(server: Subject, database: str, *statements: str) -> str:
    commands = [part for statement in statements for part in ("--command", statement)]
    login = ["psql", "--no-psqlrc", "-qAt", "--username=shop", f"--dbname={database}"]
    answer = await server.runtime.execute(server.container, [*login, *commands])
    assert answer.exit_code == 0, answer.errors
    return answer.output.strip()


@pytest.mark.docker
async def test_every_database_and_every_role_comes_back(server: Subject, tmp_path: Path) -> None:
    odd = 'we/ird = "x"'
    quoted = odd.replace('"', '""')
    await _sql(server, "postgres", "CREATE ROLE app", f'CREATE DATABASE "{quoted}"')
    await _sql(server, "shop", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
    point = await server.databases.take(server.container, tmp_path, "d41")
    manifest = json.loads((point.path / "manifest.json").read_text())
    assert set(manifest["databases"]) == {"postgres", "shop", odd}
    assert "CREATE ROLE app" in (point.path / "globals.sql").read_text()
    await _sql(server, "postgres", "CREATE DATABASE again")
    restore = ["pg_restore", "--username=shop", "--dbname=again", "--exit-on-error"]
    dump = point.path / manifest["databases"]["shop"]
    assert (await server.runtime.execute(server.container, restore, source=dump)).exit_code == 0
    assert await _sql(server, "again", "SELECT count(*) FROM t") == "1000"


@pytest.mark.docker
async def test_a_restore_point_is_private_and_says_what_it_holds(
    server: Subject, tmp_path: Path
) -> None:
    point = await server.databases.take(server.container, tmp_path, "d41")
    manifest = json.loads((point.path / "manifest.json").read_text())
    for name, facts in manifest["files"].items():
        content = (point.path / name).read_bytes()
        assert facts == {
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    modes = {path.stat().st_mode & 0o777 for path in point.path.iterdir()}
    assert (modes, point.path.stat().st_mode & 0o777) == ({0o600}, 0o700)
    assert PASSWORD not in (point.path / "manifest.json").read_text()


@pytest.mark.docker
async def test_a_dump_that_breaks_off_never_counts(server: Subject, tmp_path: Path) -> None:
    class Truncating(AiodockerRuntime):
        async def execute(self, name, command, *, into=None, **more):  # type: ignore[no-untyped-def]
            result = await super().execute(name, command, into=into, **more)
            if command[0] == "pg_dump" and into is not None:
                into.write_bytes(into.read_bytes()[:-1])
            return result

    await _sql(server, "shop", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
    runtime = Truncating()
    try:
        with pytest.raises(OutsideError, match="pg_restore failed"):
            await PostgresDumps(runtime).take(server.container, tmp_path, "d41")
    finally:
        await runtime.close()
    assert os.listdir(tmp_path) == []


async def test_points_are_listed_newest_first_with_what_they_hold(
    subject: Subject, tmp_path: Path
) -> None:
    assert subject.databases.points(tmp_path / "none") == ()
    point = await subject.databases.take(subject.container, tmp_path, "before-r2")
    assert subject.databases.points(tmp_path) == (point,)
    assert "postgres" in point.databases
    assert point.container == subject.container


async def test_a_restored_database_takes_the_name_and_can_give_it_back(
    subject: Subject, tmp_path: Path
) -> None:
    databases, container = subject.databases, subject.container
    await databases.take(container, tmp_path, "p")
    await databases.restore_into(container, tmp_path, "p", "postgres", "postgres_new")
    await databases.swap(container, "postgres", "postgres_new", "postgres_old")
    await databases.swap(container, "postgres", "postgres_new", "postgres_old")
    assert await _names(subject, tmp_path, "a") >= {"postgres", "postgres_old"}
    await databases.swap(container, "postgres", "postgres_old", "postgres_new")
    await databases.swap(container, "postgres", "postgres_old", "postgres_new")
    await databases.drop(container, "postgres_new")
    await databases.drop(container, "postgres_new")
    found = await _names(subject, tmp_path, "b")
    assert not found & {"postgres_old", "postgres_new"}
    assert "postgres" in found


async def test_a_database_that_the_point_lacks_is_refused(subject: Subject, tmp_path: Path) -> None:
    await subject.databases.take(subject.container, tmp_path, "p")
    with pytest.raises(OutsideError, match="nothing_like_it"):
        await subject.databases.restore_into(
            subject.container, tmp_path, "p", "nothing_like_it", "new"
        )
    assert "new" not in await _names(subject, tmp_path, "a")


async def test_a_name_that_is_not_there_cannot_be_swapped_in(
    subject: Subject, tmp_path: Path
) -> None:
    with pytest.raises(OutsideError, match="postgres_new"):
        await subject.databases.swap(subject.container, "postgres", "postgres_new", "postgres_old")


async def _names(subject: Subject, folder: Path, point: str) -> set[str]:
    """The databases there are, as a dump sees them."""
    return set((await subject.databases.take(subject.container, folder, point)).databases)


@pytest.mark.docker
async def test_rows_rights_and_settings_come_back_and_the_old_is_kept(
    server: Subject, tmp_path: Path
) -> None:
    databases, name = server.databases, server.container
    await _sql(
        server,
        "shop",
        "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n",
        "CREATE ROLE reader LOGIN",
        "REVOKE CONNECT ON DATABASE shop FROM PUBLIC",
        "GRANT CONNECT ON DATABASE shop TO reader",
        "ALTER DATABASE shop SET statement_timeout TO '7s'",
    )
    await databases.take(name, tmp_path, "p")
    await _sql(server, "shop", "DELETE FROM t WHERE n > 10", "CREATE TABLE later (n int)")
    found = await databases.restore_into(name, tmp_path, "p", "shop", "shop_new")
    assert found == "1 tables in shop_new, verified"
    await databases.swap(name, "shop", "shop_new", "shop_old")
    assert await _sql(server, "shop", "SELECT count(*) FROM t") == "1000"
    assert await _sql(server, "shop_old", "SELECT count(*) FROM t") == "10"
    assert await _sql(server, "shop", "SHOW statement_timeout") == "7s"
    rights = "SELECT has_database_privilege('reader', 'shop', 'CONNECT'), datacl::text ~ '=c'"
    assert await _sql(server, "shop", f"{rights} FROM pg_database WHERE datname = 'shop'") == "t|t"


@pytest.mark.docker
async def test_a_missing_role_comes_back_and_a_changed_password_stays(
    server: Subject, tmp_path: Path
) -> None:
    databases, name = server.databases, server.container
    await _sql(
        server,
        "shop",
        "CREATE ROLE gone LOGIN PASSWORD 'x'",
        "CREATE ROLE kept LOGIN PASSWORD 'old'",
        "CREATE TABLE t (n int)",
        "ALTER TABLE t OWNER TO gone",
    )
    await databases.take(name, tmp_path, "p")
    await _sql(
        server, "shop", "DROP TABLE t", "DROP ROLE gone", "ALTER ROLE kept PASSWORD 'new-one'"
    )
    secret = "SELECT rolpassword FROM pg_authid WHERE rolname = 'kept'"
    before = await _sql(server, "shop", secret)
    await databases.restore_into(name, tmp_path, "p", "shop", "shop_new")
    assert await _sql(server, "shop", secret) == before
    owner = "SELECT tableowner FROM pg_tables WHERE tablename = 't'"
    assert await _sql(server, "shop_new", owner) == "gone"


@pytest.mark.docker
async def test_a_swap_ends_the_sessions_that_are_in_its_way(
    server: Subject, tmp_path: Path
) -> None:
    await server.databases.take(server.container, tmp_path, "p")
    await server.databases.restore_into(server.container, tmp_path, "p", "shop", "shop_new")
    session = asyncio.create_task(_session(server))
    count = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'"
    while await _sql(server, "postgres", count) != "1":  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.05)
    await server.databases.swap(server.container, "shop", "shop_new", "shop_old")
    assert await session != 0


async def _session(server: Subject) -> int:
    login = ["psql", "--no-psqlrc", "--username=shop", "--dbname=shop"]
    command = [*login, "--command", "SELECT pg_sleep(60)"]
    return (await server.runtime.execute(server.container, command)).exit_code


@pytest.mark.docker
async def test_a_dump_that_was_changed_is_not_restored(server: Subject, tmp_path: Path) -> None:
    point = await server.databases.take(server.container, tmp_path, "p")
    with (point.path / "shop.dump").open("ab") as file:
        file.write(b"x")
    with pytest.raises(OutsideError, match="damaged"):
        await server.databases.restore_into(server.container, tmp_path, "p", "shop", "new")


async def test_a_new_password_is_the_only_one_that_opens_the_database(subject: Subject) -> None:
    awkward = "n3w 'quoted' \"$HOME\" \\ é"
    await subject.databases.set_password(subject.container, awkward)
    await subject.databases.set_password(subject.container, awkward)
    if isinstance(subject.databases, FakeDatabases):
        assert subject.databases.passwords[subject.container] == awkward
        return
    assert await _can_log_in(subject, awkward)
    assert not await _can_log_in(subject, PASSWORD)


async def _can_log_in(subject: Subject, password: str) -> bool:
    """Over TCP at the container's own address, where the image asks for the password."""
    found = await subject.runtime.container(subject.container)
    assert found
    (address,) = found.addresses.values()
    words = ("psql", "-w", "-h", address, "-U", "shop", "-d", "shop", "-Atc", "SELECT 1")
    answer = await subject.runtime.execute(
        subject.container, words, environment={"PGPASSWORD": password}
    )
    return answer.exit_code == 0


async def test_a_database_that_does_not_run_takes_no_password(subject: Subject) -> None:
    await subject.runtime.stop(subject.container, 10)
    with pytest.raises(OutsideError):
        await subject.databases.set_password(subject.container, "x")


SOURCE = RowSource(
    "db",
    "shop",
    read="SELECT d.id, d.domain, d.is_primary, c.schema_name AS tenant FROM tenants_domain d"
    " JOIN tenants_client c ON c.id = d.tenant_id ORDER BY d.id",
)
SUFFIX = "statuswatch.kontentwave.digital"
# As django-tenants makes them, with the rows of documents 000 and 001.
TABLES = f"""
CREATE TABLE tenants_client (id bigserial PRIMARY KEY, schema_name varchar(63) UNIQUE);
CREATE TABLE tenants_domain (id bigserial PRIMARY KEY, domain varchar(253) UNIQUE,
  is_primary boolean NOT NULL, tenant_id bigint NOT NULL REFERENCES tenants_client);
INSERT INTO tenants_client (schema_name) VALUES ('public'), ('acme'), ('pokus2'), ('demo');
INSERT INTO tenants_domain (domain, is_primary, tenant_id) VALUES
  ('{SUFFIX}', true, 1), ('acme.localhost', false, 2), ('acme.{SUFFIX}', true, 2),
  ('pokus2.localhost', true, 3), ('demo.staging.{SUFFIX}', true, 4), ('demo.{SUFFIX}', false, 4);
"""


async def _with_rows(subject: Subject) -> Subject:
    """The same rows on both sides of the port."""
    rows = (
        DomainRow("1", SUFFIX, True, "public"),
        DomainRow("2", "acme.localhost", False, "acme"),
        DomainRow("3", f"acme.{SUFFIX}", True, "acme"),
        DomainRow("4", "pokus2.localhost", True, "pokus2"),
        DomainRow("5", f"demo.staging.{SUFFIX}", True, "demo"),
        DomainRow("6", f"demo.{SUFFIX}", False, "demo"),
    )
    if isinstance(subject.databases, FakeDatabases):
        subject.databases.rows[subject.container] = rows
        return subject
    command = ["psql", "-qv", "ON_ERROR_STOP=1", "-U", "shop", "-d", "shop", "-c", TABLES]
    made = await subject.runtime.execute(subject.container, command)
    assert made.exit_code == 0, made.errors
    assert await subject.databases.domain_rows(subject.container, SOURCE) == rows
    return subject


@pytest.mark.requirement("R15", "R16", "R30", "R31", "R154", "R155")
async def test_the_documents_rows_are_repaired_once_and_for_good(subject: Subject) -> None:
    assert await subject.databases.domain_rows(subject.container, SOURCE) is None  # no table yet
    await _with_rows(subject)
    policy, counts = DomainPolicy(SUFFIX), []
    for _ in range(2):
        rows = await subject.databases.domain_rows(subject.container, SOURCE)
        fix = plan_domain_fix(policy, rows or ())
        counts.append((fix.renamed_count, fix.deleted_count, fix.promoted_count, len(fix.skipped)))
        await subject.databases.change_domain_rows(subject.container, SOURCE, fix.changes)
    assert counts == [(1, 1, 1, 1), (0, 0, 0, 1)]  # pokus2 updated, acme skipped
    after = await subject.databases.domain_rows(subject.container, SOURCE)
    assert {(row.domain, row.is_primary) for row in after or ()} == {
        (SUFFIX, True),
        ("acme.localhost", False),
        (f"acme.{SUFFIX}", True),
        (f"pokus2.{SUFFIX}", True),
        (f"demo.{SUFFIX}", True),
    }


async def test_rows_of_any_select_are_read_as_text_and_nothing_is_changed(server: Subject) -> None:
    await _with_rows(server)
    sql = "SELECT is_primary, count(*), NULL AS none FROM tenants_domain GROUP BY 1 ORDER BY 1;"
    found = await server.databases.query(server.container, sql)
    assert [row[0] for row in found] == ["false", "true"]
    assert {row[2] for row in found} == {""}
    for evil in (
        "WITH x AS (DELETE FROM tenants_domain RETURNING *) SELECT 1",
        "SELECT 1; SELECT 2",
    ):
        with pytest.raises(OutsideError):
            await server.databases.query(server.container, evil)
    assert len(await server.databases.query(server.container, "SELECT * FROM tenants_domain")) == 6


async def test_a_plan_from_rows_that_were_changed_since_changes_nothing(subject: Subject) -> None:
    await _with_rows(subject)
    rows = await subject.databases.domain_rows(subject.container, SOURCE) or ()
    good = RowChange(rows[3], replace(rows[3], domain=f"pokus2.{SUFFIX}"), "")
    stale = RowChange(replace(rows[4], domain="demo.example.com"), None, "")
    with pytest.raises(OutsideError):
        await subject.databases.change_domain_rows(subject.container, SOURCE, (good, stale))
    assert await subject.databases.domain_rows(subject.container, SOURCE) == rows


async def test_sql_that_would_change_something_is_refused(server: Subject) -> None:
    await _with_rows(server)
    evil = replace(SOURCE, read="WITH x AS (DELETE FROM tenants_domain RETURNING *) SELECT 1")
    other = replace(SOURCE, read="SELECT 1) AS found; DELETE FROM tenants_domain; SELECT (1")
    for source in (evil, other):
        with pytest.raises(OutsideError):
            await server.databases.domain_rows(server.container, source)
    assert len(await server.databases.domain_rows(server.container, SOURCE) or ()) == 6
