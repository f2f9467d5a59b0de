"""An installation of Berthmaster for a bench alone: own folder, ports, addresses, names, images.

It is the scenarios' server, which takes an address block and ports of its own in each run.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.scenario import server as scenario
from tests.scenario.dsl import App

from bench.load import Load

BERTH_YAML = """\
app: {name}
routes:
  - {{path: /, service: web, port: 8000, ready: /health}}
services:
  web: {{drain: {drain}, ready: 5s}}
environments:
  stage: {{hosts: [stage.{name}.test], entrypoint: plain, replicas: {{web: {replicas}}}}}
  prod: {{hosts: [{name}.test], replicas: {{web: {replicas}}}}}
"""


@asynccontextmanager
async def server() -> AsyncIterator[scenario.Server]:
    """Registry, images and gateway; all of it goes away, whatever happened."""
    made = scenario.Server()
    try:
        await made.set_up()
        yield made
    finally:
        for row in made.rows("SELECT id FROM stacks") if _has_store(made) else []:
            await made.berth("destroy", str(row[0]), "--confirm", str(row[0]))
        await made.destroy()


def make_app(
    made: scenario.Server, name: str, *, environment: str = "stage", replicas: int = 2
) -> App:
    """One web service; the time to watch and to keep warm is the product's default."""
    app = App(made, name, environment).write("web")
    text = BERTH_YAML.format(name=app.name, replicas=replicas, drain="15s")
    (app.folder / "berth.yaml").write_text(text)
    return app


def load_of(app: App, **more: object) -> Load:
    """Load on the app through its entrypoint."""
    port = app.server.https if app.is_tls else app.server.plain
    ca_file: Path | None = app.server.ca_file if app.is_tls else None
    return Load("127.0.0.1", port, app.host, is_tls=app.is_tls, ca_file=ca_file, **more)  # type: ignore[arg-type]


def _has_store(made: scenario.Server) -> bool:
    return (made.state / "store.db").exists()
