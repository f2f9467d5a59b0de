"""Restore points of a real MariaDB: what comes back, and what a kill in the middle leaves."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from tests.contract.docker_world import MARIADB, Names, real_runtime

from berthmaster.adapters.databases import KnownDatabases
from berthmaster.adapters.docker import AiodockerRuntime
from berthmaster.adapters.mysql import MysqlDumps
from berthmaster.adapters.postgres import PostgresDumps
from berthmaster.domain.container import ExecResult
from berthmaster.domain.errors import NotAllowed, OutsideError
from berthmaster.ports.databases import Databases
from berthmaster.ports.runtime import Runtime

pytestmark = pytest.mark.docker

PASSWORD: Final = "planted \\ 's3cret\""
OBJECTS: Final = """
CREATE TABLE owners (id int PRIMARY KEY, name varchar(40)) COLLATE utf8mb4_bin;
CREATE TABLE goods (id int AUTO_INCREMENT PRIMARY KEY, owner int, picture blob,
  FOREIGN KEY (owner) REFERENCES owners (id));
CREATE TABLE changes (what varchar(40));
INSERT INTO owners VALUES (1, 'Zoë 🐝'), (2, 'line\nbreak');
INSERT INTO goods (owner, picture) VALUES (1, x'00ff27'), (2, NULL);
CREATE VIEW rich AS SELECT name FROM owners JOIN goods ON owner = owners.id;
CREATE TRIGGER noted AFTER INSERT ON goods FOR EACH ROW INSERT INTO changes VALUES ('goods');
CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN 2 * n;
CREATE PROCEDURE sell() DELETE FROM goods WHERE id = 1;
CREATE SEQUENCE numbers START WITH 100;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01' DO DELETE FROM changes;
CREATE EVENT asleep ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01' DISABLE DO DELETE FROM changes;
"""
# Everything that there is in a database, and all that is in it.
PICTURE: Final = """
SELECT * FROM owners; SELECT id, owner, hex(picture) FROM goods;
SELECT * FROM rich; SELECT * FROM changes;
SELECT event_name, status FROM information_schema.events
  WHERE event_schema = database() ORDER BY 1;
SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database();
SELECT routine_name FROM information_schema.routines
  WHERE routine_schema = database() ORDER BY 1;
SELECT table_name, table_collation FROM information_schema.tables
  WHERE table_schema = database() ORDER BY 1;
SELECT twice(21)
"""


@dataclass(slots=True)
class Subject:
    """A running MariaDB, its databases port, and every command that was run in it."""

    databases: Databases
    runtime: Runtime
    container: str

    async def sql(self, statement: str, database: str = "shop", user: str = "root") -> str:
        login = ["mariadb", "--default-character-set=utf8mb4", "-BN", f"--user={user}", database]
        answer = await self.runtime.execute(
            self.container,
            [*login, f"--execute={statement}"],
            environment={"MYSQL_PWD": PASSWORD if user == "root" else "app's own"},
        )
        assert answer.exit_code == 0, answer.errors
        return answer.output.strip()

    async def picture(self, database: str = "shop") -> str:
        return await self.sql(PICTURE, database)


class Watched(AiodockerRuntime):
    """Keeps every command; `kill_at` ends it all before the command of that number."""

    commands: list[Sequence[str]]
    hidden: tuple[str, ...] = ()  # programs that this image does not have
    kill_at: int | None = None

    async def execute(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None,
        into: Path | None = None, source: Path | None = None, timeout_seconds: float = 60.0,
    ) -> ExecResult:  # fmt: skip
        self.commands.append(command)
        if self.kill_at is not None and len(self.commands) > self.kill_at:
            raise KilledHere
        if command[0].startswith(self.hidden or ("\0",)):
            return ExecResult(127, "", f"{command[0]}: not found")
        return await super().execute(
            name, command, environment=environment, into=into, source=source,
            timeout_seconds=timeout_seconds,
        )  # fmt: skip


class KilledHere(Exception):
    """Nothing after this happened."""


@pytest.fixture
async def server() -> AsyncIterator[Subject]:
    """With a user beside the app's, and a second database with an odd name."""
    names = Names()
    async with real_runtime(names) as real:
        container = await start_mariadb(real, names)
        known = KnownDatabases(real, PostgresDumps(real), MysqlDumps(real))
        subject = Subject(known, real, container)
        await subject.sql(OBJECTS)
        yield subject


async def start_mariadb(runtime: AiodockerRuntime, names: Names) -> str:
    name = f"{names.prefix}-db"
    values = {"ROOT_PASSWORD": PASSWORD, "DATABASE": "shop", "USER": "app", "PASSWORD": "app's own"}
    environment = [f"MARIADB_{key}={value}" for key, value in values.items()]
    config: dict[str, Any] = {"Image": MARIADB, "Env": environment, "Labels": names.labels}
    container = await runtime._docker.containers.create(config, name=name)
    await container.start()
    # NOTE: over TCP, because while it prepares itself the server listens on its socket only.
    ping = "mariadb-admin --host=127.0.0.1 --protocol=tcp ping >/dev/null 2>&1"
    ready = ["timeout", "120", "sh", "-c", f"until {ping}; do sleep 0.1; done"]
    assert (await runtime.execute(name, ready, timeout_seconds=150)).exit_code == 0
    return name


async def test_everything_of_a_database_comes_back_and_the_old_one_is_kept(
    server: Subject, tmp_path: Path
) -> None:
    databases, name = server.databases, server.container
    await server.sql('CREATE DATABASE `we/ird = "x"`; CREATE USER reader@localhost')
    await server.sql("GRANT SELECT ON shop.* TO reader@localhost; CREATE ROLE staff")
    await server.sql("GRANT SELECT ON shop.owners TO reader@localhost")
    before, shown = await server.picture(), "SHOW CREATE USER app"
    point = await databases.take(name, tmp_path, "p")
    assert set(point.databases) == {"shop", 'we/ird = "x"'}
    await server.sql("DROP USER reader@localhost; DROP ROLE staff; SET PASSWORD FOR app = ''")
    changed = await server.sql(shown)
    await server.sql("DROP TABLE goods; CREATE TABLE later (n int); DROP EVENT nightly")
    found = await databases.restore_into(name, tmp_path, "p", "shop", "shop_new")
    assert found == "3 tables in shop_new, verified"
    events = "SELECT event_name, status FROM information_schema.events WHERE event_schema = '{}'"
    parked = await server.sql(events.format("shop_new"))
    assert sorted(parked.split()) == ["DISABLED", "SLAVESIDE_DISABLED", "asleep", "nightly"]
    await databases.swap(name, "shop", "shop_new", "shop_old")
    assert await server.picture() == before
    assert await server.sql("SHOW TABLES", "shop_old") == "changes\nlater\nnumbers\nowners"
    assert "ENABLED" not in (await server.sql(events.format("shop_old"))).split()
    assert "shop_new" not in await server.sql("SHOW DATABASES")
    await server.sql("INSERT INTO goods (owner) VALUES (1)")
    assert await server.sql("SELECT * FROM changes") == "goods"
    assert await server.sql(shown) == changed  # one that is there keeps its password
    assert "`shop`.*" in await server.sql("SHOW GRANTS FOR reader@localhost")
    assert "staff" in await server.sql("SELECT user FROM mysql.user WHERE is_role = 'Y'")


async def test_a_swap_that_was_killed_anywhere_goes_on_or_turns_back(
    server: Subject, tmp_path: Path
) -> None:
    await server.databases.take(server.container, tmp_path, "p")
    restored = await server.picture()
    await server.sql("UPDATE owners SET name = 'changed'; DROP EVENT asleep")
    old = await server.picture()
    count = await killed_swap(server, tmp_path, None)
    assert await server.picture() == restored
    await server.databases.swap(server.container, "shop", "shop_old", "shop_new")
    assert await server.picture() == old
    kept = await server.sql("SELECT * FROM owners")
    for turn, at in enumerate(range(6, count, 9)):  # the first ones only look
        assert await killed_swap(server, tmp_path, at) > at
        if turn % 2:
            await server.databases.swap(server.container, "shop", "shop_new", "shop_old")
            assert await server.picture() == restored, at
            assert await server.sql("SELECT * FROM owners", "shop_old") == kept, at
        await server.databases.swap(server.container, "shop", "shop_old", "shop_new")
        assert await server.picture() == old, at


async def killed_swap(server: Subject, folder: Path, at: int | None) -> int:
    """How many commands it ran; the old one's copies of an earlier try are gone before."""
    for name in ("shop_new", "shop_old"):
        await server.databases.drop(server.container, name)
    await server.databases.restore_into(server.container, folder, "p", "shop", "shop_new")
    runtime = Watched()
    runtime.commands, runtime.kill_at = [], at
    try:
        await MysqlDumps(runtime).swap(server.container, "shop", "shop_new", "shop_old")
    except KilledHere:
        assert at is not None
    finally:
        await runtime.close()
    return len(runtime.commands)


async def test_no_password_is_in_a_command_or_in_what_is_kept_for_people(
    server: Subject, tmp_path: Path
) -> None:
    runtime = Watched()
    runtime.commands = []
    runtime.hidden = ("mariadb",)  # MySQL's names of the same tools, which this image has too
    databases = MysqlDumps(runtime)
    try:
        point = await databases.take(server.container, tmp_path, "p")
        await databases.restore_into(server.container, tmp_path, "p", "shop", "shop_new")
        await databases.swap(server.container, "shop", "shop_new", "shop_old")
    finally:
        await runtime.close()
    used = {command[0] for command in runtime.commands}
    assert {"mysql", "mysqldump", "mysqladmin"} <= used
    said = json.dumps(runtime.commands)
    assert not [word for word in ("s3cret", "app's own", "IDENTIFIED") if word in said]
    assert "s3cret" not in (point.path / "manifest.json").read_text()
    modes = {path.stat().st_mode & 0o777 for path in point.path.iterdir()}
    assert (modes, point.path.stat().st_mode & 0o777) == ({0o600}, 0o700)


async def test_what_is_broken_never_counts_and_leaves_nothing(
    server: Subject, tmp_path: Path
) -> None:
    class Truncating(AiodockerRuntime):
        async def execute(self, name, command, *, into=None, **more):  # type: ignore[no-untyped-def]
            result = await super().execute(name, command, into=into, **more)
            if into is not None:
                into.write_bytes(into.read_bytes()[:-200])
            return result

    runtime = Truncating()
    try:
        with pytest.raises(OutsideError, match="has no end"):
            await MysqlDumps(runtime).take(server.container, tmp_path, "broken")
    finally:
        await runtime.close()
    assert os.listdir(tmp_path) == []
    point = await server.databases.take(server.container, tmp_path, "p")
    with (point.path / "shop.sql").open("a") as file:
        file.write("DROP DATABASE shop;\n")
    with pytest.raises(OutsideError, match="damaged"):
        await server.databases.restore_into(server.container, tmp_path, "p", "shop", "new")
    assert "new" not in (await server.sql("SHOW DATABASES")).split()
    with pytest.raises(OutsideError, match="nothing_like_it"):
        await server.databases.restore_into(server.container, tmp_path, "p", "nothing_like_it", "x")
    with pytest.raises(OutsideError, match="cannot take the name"):
        await server.databases.swap(server.container, "shop", "new", "old")


async def test_who_may_not_enter_is_told_which_password_was_tried(
    server: Subject, tmp_path: Path
) -> None:
    await server.sql("ALTER USER root@localhost IDENTIFIED BY 'another'")
    with pytest.raises(OutsideError, match="MARIADB_ROOT_PASSWORD") as refused:
        await server.databases.take(server.container, tmp_path, "p")
    assert "s3cret" not in str(refused.value)
    assert await server.databases.end_sessions(server.container, ("192.0.2.1",)) == 0
    with pytest.raises(NotAllowed, match="PostgreSQL only"):
        await server.databases.query(server.container, "SELECT 1")
    with pytest.raises(NotAllowed, match="PostgreSQL only"):
        await server.databases.set_password(server.container, "x")


async def test_a_killed_job_leaves_no_statement_behind(server: Subject) -> None:
    found = await server.runtime.container(server.container)
    assert found is not None
    (address,) = found.addresses.values()
    login = ["mariadb", f"--host={address}", "--user=app", "shop", "--execute=SELECT sleep(60)"]
    work = asyncio.create_task(
        server.runtime.execute(server.container, login, environment={"MYSQL_PWD": "app's own"})
    )
    count = "SELECT count(*) FROM information_schema.processlist WHERE info = 'SELECT sleep(60)'"
    while await server.sql(count) != "1":  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.05)
    ended = await server.databases.end_sessions(server.container, (address,))
    assert (ended, (await work).exit_code != 0) == (1, True)
    assert await server.databases.end_sessions(server.container, ("192.0.2.1",)) == 0
