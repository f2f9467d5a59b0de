"""An app with secrets on a real disk, over a world in memory."""

from dataclasses import dataclass, replace
from pathlib import Path

from tests.unit.engine.worlds import World, empty_world

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.adapters.secretfiles import DiskSecretFiles
from berthmaster.ports.outside import Outside
from berthmaster.testing.vault import FakeVault

BERTH = """\
app: shop
environments:
  dev: {compose: compose.yaml}
  stage: {compose: compose.yaml}
  prod: {compose: compose.yaml}
"""
COMPOSE = """\
services:
  web:
    image: registry.test/shop:${IMAGE_TAG}
    environment:
      SECRET_KEY: ${SECRET_KEY}
      STRIPE_SECRET_KEY: ${STRIPE_SECRET_KEY}
      SITE_NAME: ${SITE_NAME}
    secrets: [db_password]
  db:
    image: postgres:15
    environment: {POSTGRES_PASSWORD_FILE: /run/secrets/db_password}
    secrets: [db_password, db_cert, db_key]
secrets:
  db_password: {file: ./secrets/prod/db_password}
  db_cert: {file: ./secrets/prod/db_cert}
  db_key: {file: ./secrets/prod/db_key}
"""
STRIPE = "sk_live_51H8abcdefghijk"


@dataclass
class SecretApp:
    """The app's folder and the world around it."""

    folder: Path
    world: World

    @property
    def outside(self) -> Outside:
        return replace(self.world.outside, specs=BerthfileSpecs(), secret_files=DiskSecretFiles())

    @property
    def vault(self) -> FakeVault:
        vault = self.world.outside.vault
        assert isinstance(vault, FakeVault)
        return vault

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(text)
        path.chmod(mode)
        return path

    def secret(self, name: str, environment: str = "prod") -> Path:
        return self.folder / "secrets" / environment / name

    def values(self, environment: str = "prod") -> dict[str, str]:
        folder = self.folder / "secrets" / environment
        return {path.name: path.read_text() for path in folder.iterdir() if path.name[0] != "."}


def secret_app(folder: Path, compose: str = COMPOSE, berth: str = BERTH) -> SecretApp:
    app = SecretApp(folder, empty_world())
    app.write("compose.yaml", compose, 0o644)
    app.write("berth.yaml", berth, 0o644)
    return app


def complete_app(folder: Path) -> SecretApp:
    """Nothing is wrong with any of its environments."""
    from berthmaster.services.give_secrets import init_secrets, set_secret

    app = secret_app(folder)
    for number, environment in enumerate(("dev", "stage", "prod")):
        app.write(f".env.{environment}", "SITE_NAME=Shop\n", 0o644)
        init_secrets(app.outside, folder, environment)
        value = f"{STRIPE}{number}".encode()
        set_secret(app.outside, folder, environment, "STRIPE_SECRET_KEY", value)
    return app
