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

IMAGES_OF_SERVER: Final = (*IMAGES, "berthmaster/postgres:15", "berthmaster/redis:7")
CODE: Final = re.compile(r"^ {4}((?:[A-Z0-9]{5}-){7}[A-Z0-9]{5})$", re.M)
ROWS: Final = 5000
LIMIT_SECONDS: Final = 300.0  # of a backup or a restore


@dataclass
class Lost:
    """One installation, a place for its backups, and the engine that it is on now."""

    root: Path
    engine: Engine
    server: Server = field(init=False)
    code: str = ""

    def __post_init__(self) -> None:
        self.server = Server(root=self.root / "b")
        self.server.root.mkdir()

    @property
    def target(self) -> Path:
        return self.root / "backups"

    async def make(self, names: Sequence[str], data: str = "kept") -> list[App]:
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
    await sql(
        app,
        "CREATE TABLE IF NOT EXISTS precious (number int PRIMARY KEY, word text);"
        f"INSERT INTO precious SELECT n, md5(n::text) FROM generate_series({begin + 1},"
        f" {begin + ROWS}) n",
    )
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


async def sql(app: App, statement: str) -> str:
    words = ("psql", "-U", "shop", "-d", "shop", "-Atc", statement)
    return await app.exec(f"{app.project}-db-1", *words)


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
