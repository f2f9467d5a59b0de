"""A server that is lost and comes back on another engine: what it had, and what it has again.

Used by scenarios and benches.
"""

import hashlib
import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.scenario.commands import Ended, docker, end
from tests.scenario.dsl import App
from tests.scenario.engine import IMAGES, Engine
from tests.scenario.server import Server

_DATABASES: Final = ("berthmaster/postgres:15", "berthmaster/mariadb:10.11")
IMAGES_OF_SERVER: Final = (*IMAGES, *_DATABASES, "berthmaster/redis:7", "berthmaster/nginx:1.22")
CODE: Final = re.compile(r"^ {4}((?:[A-Z0-9]{5}-){7}[A-Z0-9]{5})$", re.M)
ROWS: Final = 5000
LIMIT_SECONDS: Final = 300.0  # of a backup or a restore
POSTGRES, MARIADB = "kept", "kept-mariadb"  # folders of testdata
_SECRET: Final = "/run/secrets/db_password"
_NUMBERS: Final = {  # from one to another
    POSTGRES: "SELECT n, md5(n::text) FROM generate_series({first}, {last}) n",
    MARIADB: "SELECT seq, md5(seq) FROM seq_{first}_to_{last}",
}
LOGIN: Final = {
    POSTGRES: ("psql", "-U", "shop", "-d", "shop", "-Atc"),
    MARIADB: ("sh", "-c", f'MYSQL_PWD=$(cat {_SECRET}) exec mariadb -ushop -BN shop -e "$0"'),
}


@dataclass
class Lost:
    """One installation, a place for its backups, and the engine that it is on now."""

    root: Path
    engine: Engine
    server: Server = field(init=False)
    code: str = ""
    ports: tuple[int, ...] = ()  # that the gateway took from a proxy

    def __post_init__(self) -> None:
        self.server = Server(root=self.root / "b")
        self.server.root.mkdir()

    @property
    def target(self) -> Path:
        return self.root / "backups"

    async def make(self, names: Sequence[str], data: str = POSTGRES) -> list[App]:
        """Apps that serve, with data in them."""
        apps = []
        for name in names:
            app = App(self.server, name).write(data)
            app.secret("db_password", secrets.token_hex(20))
            await app.deploy("v1")
            await fill(app)
            apps.append(app)
        return apps

    async def back_up(self, *words: str, code: int = 0) -> Ended:
        """A backup that ends as expected; its escrow code is kept when it was printed."""
        started = await self.server.start("server", "backup", "--to", str(self.target), *words)
        done = await end(started, seconds=LIMIT_SECONDS)
        assert done.code == code, done.said
        if found := CODE.search(done.err):
            self.code = found[1]
        return done

    def restoring(self) -> tuple[str, ...]:
        """The words of the restore, whose code is in a file."""
        file = self.root / "code"
        file.write_text(self.code)
        return ("server", "restore", "--from", str(self.target), "--code-file", str(file))

    async def restore(self, code: int = 0) -> Ended:
        done = await end(await self.server.start(*self.restoring()), seconds=LIMIT_SECONDS)
        assert done.code == code, done.said
        return done

    def lose(self, fresh: Engine) -> None:
        """Engine, state folder and apps are gone; the settings name the new engine."""
        before = self.engine.address
        self.engine.destroy()
        shutil.rmtree(self.server.state)
        shutil.rmtree(self.server.root / "apps")
        settings = self.server.root / "settings.toml"
        settings.write_text(settings.read_text().replace(before, fresh.address))
        self.engine = fresh


async def fill(app: App, *, begin: int = 0) -> None:
    """Rows, keys and files."""
    numbers = _NUMBERS[kind_of(app)].format(first=begin + 1, last=begin + ROWS)
    await sql(app, "CREATE TABLE IF NOT EXISTS precious (number int PRIMARY KEY, word text)")
    await sql(app, f"INSERT INTO precious {numbers}")
    await app.redis("set", f"key{begin}", f"value of {app.name}")
    web = (await app.containers(await number_of(app)))[0]
    write = f"mkdir -p /data/deep && head -c 300000 /dev/urandom > /data/deep/file{begin}"
    await docker("exec", "--user", "0", web, "sh", "-c", write)


async def contents(app: App) -> dict[str, str]:
    """Everything that must be the same again, by hash."""
    web = (await app.containers(await number_of(app)))[0]
    files = await docker(
        "exec", web, "sh", "-c", "cd /data && find . -type f | sort | xargs sha256sum"
    )
    rows = await sql(app, "SELECT * FROM precious ORDER BY number")
    keys = await app.redis("keys", "*")
    values = [f"{key}={await app.redis('get', key)}" for key in sorted(keys)]
    found = {"rows": rows, "files": files, "keys": "\n".join(values)}
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in found.items()}


async def number_of(app: App) -> int:
    query = "SELECT number FROM releases WHERE stack = ? AND state = 'live'"
    return int(str(app.server.rows(query, app.stack)[0][0]))


def kind_of(app: App) -> str:
    """Which database it has."""
    is_mariadb = "mariadb" in (app.folder / "compose.yaml").read_text()
    return MARIADB if is_mariadb else POSTGRES


async def sql(app: App, statement: str) -> str:
    return await app.exec(f"{app.project}-db-1", *LOGIN[kind_of(app)], statement)


def damage(folder: Path) -> str:
    """Change one byte of the largest file of data; its name."""
    path = max((folder / "data").rglob("*"), key=lambda item: item.stat().st_size)
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0xFF]))
    return path.name
