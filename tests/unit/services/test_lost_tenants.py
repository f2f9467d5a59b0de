"""Tenants and adopted projects of a lost server: what they were, they are again."""

import asyncio
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.customers import BERTHFILE, COMPOSE, ENTRYPOINTS, Customers, TaggedCompose
from tests.unit.cli.shop import Shop
from tests.unit.services.test_lost_server import Machine, machine

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.adapters.secretfiles import DiskSecretFiles
from berthmaster.domain.container import PROJECT_LABEL, SERVICE_LABEL, VOLUME_LABEL
from berthmaster.domain.names import StackId
from berthmaster.domain.release import network_in
from berthmaster.engine.failpoints import Failpoint, Killed
from berthmaster.services.back_up_server import BackupIncomplete
from berthmaster.testing.behaviour import HEALTHY
from berthmaster.testing.host import FakeHost


@dataclass
class Desk:
    """An app with tenants on a machine that can be lost."""

    machine: Machine
    customers: Customers

    @property
    def engine(self) -> Any:
        return self.machine.world.engine

    def contents(self, name: str) -> dict[str, str]:
        return self.contents_of(f"desk-prod-{name}-db-1")

    def contents_of(self, container: str) -> dict[str, str]:
        return self.machine.world.databases.inside(container)

    def running(self, name: str) -> set[str]:
        stack = f"desk-prod-{name}-"
        return {
            one.name
            for one in self.engine.containers.values()
            if one.name.startswith(stack) and one.state == "running"
        }

    def lose(self, volumes: Path) -> "Desk":
        """Its disk, engine and app folder are gone."""
        folder, capsys = self.customers.shop.folder, self.customers.shop.capsys
        fresh = asyncio.run(self.machine.lose(volumes))
        shutil.rmtree(folder)
        return desk_on(fresh, folder, capsys)


def desk_on(made: Machine, folder: Path, capsys: Any) -> Desk:
    made.world.outside = replace(
        made.world.outside,
        compose=TaggedCompose(made.world.engine),
        specs=BerthfileSpecs(),
        secret_files=DiskSecretFiles(),
        entrypoints=ENTRYPOINTS,
        host=FakeHost(),
    )
    found = Customers(Shop(made.world, folder, capsys))
    for number in (1, 2):
        found.publish(f"v{number}", number)
    registry: Any = made.world.outside.registry
    registry.publish("registry.test/postgres:15", f"sha256:{15:064x}")
    made.world.engine.script("registry.test/postgres:15", HEALTHY)
    return Desk(made, found)


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """Three customers: one serves, one is suspended, one was removed."""
    made = desk_on(machine(tmp_path / "state", tmp_path / "volumes"), tmp_path / "app", capsys)
    made.customers.shop.folder.mkdir()
    made.customers.write("berth.yaml", BERTHFILE)
    made.customers.write("compose.yaml", COMPOSE)
    made.customers.add("acme", "beta", "gone")
    for name in ("acme", "beta", "gone"):
        made.contents(name)["postgres"] = f"rows of {name}"
    return made


def test_tenants_come_back_with_all_that_is_theirs(desk: Desk, tmp_path: Path) -> None:
    customers = desk.customers
    customers.good("tenant", "label", "prod/acme", "plan=gold")
    customers.good("domain", "add", "prod/acme", "acme.example.com", "--vouched")
    before = (customers.store.tenants(), customers.store.domains(), customers.table)
    secret = (desk.machine.state / "tenants/desk-prod-acme/secrets/db_password").read_text()
    asyncio.run(desk.machine.back_up())
    fresh = desk.lose(tmp_path / "fresh")
    restored = asyncio.run(fresh.machine.restore())
    assert restored.failed == ()
    store, table = fresh.customers.store, fresh.customers.table
    assert (store.tenants(), store.domains(), table) == before
    assert fresh.contents("acme") == {"postgres": "rows of acme"}
    place = fresh.machine.state / "tenants/desk-prod-acme/secrets/db_password"
    assert (place.read_text(), place.stat().st_mode & 0o777) == (secret, 0o600)
    fresh.customers.good("domain", "add", "prod/acme", "second.example.com", "--vouched")


def test_a_suspended_tenant_comes_back_suspended(desk: Desk, tmp_path: Path) -> None:
    desk.customers.good("tenant", "suspend", "prod/beta")
    asyncio.run(desk.machine.back_up())
    fresh = desk.lose(tmp_path / "fresh")
    assert asyncio.run(fresh.machine.restore()).failed == ()
    assert fresh.running("beta") == set()
    assert "desk-prod-beta" in fresh.customers.table.maintenance
    fresh.customers.good("tenant", "unsuspend", "prod/beta")
    assert len(fresh.running("beta")) == 2
    assert "desk-prod-beta" not in fresh.customers.table.maintenance


def test_a_rollout_goes_back_on_the_new_server(desk: Desk, tmp_path: Path) -> None:
    desk.customers.good("rollout", "prod", "--tag", "v2")
    asyncio.run(desk.machine.back_up())
    fresh = desk.lose(tmp_path / "fresh")
    assert asyncio.run(fresh.machine.restore()).failed == ()
    assert {fresh.customers.tag(name) for name in ("acme", "beta", "gone")} == {"v2"}
    assert "returned" in fresh.customers.good("rollout", "prod", "--back").out
    assert {fresh.customers.tag(name) for name in ("acme", "beta", "gone")} == {"v1"}


def test_a_removed_tenant_can_still_be_restored(desk: Desk, tmp_path: Path) -> None:
    desk.customers.good("tenant", "remove", "prod/gone", "--confirm", "desk@prod/gone")
    done = asyncio.run(desk.machine.back_up())
    assert done.manifest.removed == ("desk@prod/gone",)
    fresh = desk.lose(tmp_path / "fresh")
    assert asyncio.run(fresh.machine.restore()).failed == ()
    assert fresh.running("gone") == set()
    fresh.customers.good("tenant", "restore", "prod/gone")
    assert fresh.contents("gone") == {"postgres": "rows of gone"}


def test_volumes_of_a_removed_tenant_are_its_own_again(desk: Desk, tmp_path: Path) -> None:
    desk.customers.good("tenant", "remove", "prod/gone", "--confirm", "desk@prod/gone")
    desk.engine.volumes["desk-prod-gone_papers"] = {"berthmaster.stack": "desk@prod/gone"}
    folder = asyncio.run(desk.machine.data.volume_folder("desk-prod-gone_papers"))
    assert folder is not None
    (folder / "letter").write_text("kept")
    asyncio.run(desk.machine.back_up())
    fresh = desk.lose(tmp_path / "fresh")
    asyncio.run(fresh.machine.restore())
    assert (tmp_path / "fresh/desk-prod-gone_papers/letter").read_text() == "kept"
    fresh.customers.good("tenant", "restore", "prod/gone")
    assert fresh.contents("gone") == {"postgres": "rows of gone"}
    assert (tmp_path / "fresh/desk-prod-gone_papers/letter").read_text() == "kept"
    for verb in ("remove", "forget"):
        fresh.customers.good("tenant", verb, "prod/gone", "--confirm", "desk@prod/gone")
    assert [name for name in fresh.engine.volumes if "gone" in name] == []


def test_a_last_backup_that_is_missing_fails_the_backup(desk: Desk) -> None:
    desk.customers.good("tenant", "remove", "prod/gone", "--confirm", "desk@prod/gone")
    desk.machine.world.databases.points_taken.clear()
    with pytest.raises(BackupIncomplete, match="desk@prod/gone: its last backup final-"):
        asyncio.run(desk.machine.back_up())


BLOG = StackId("blog", "prod")
BLOG_FILE = """\
app: blog
routes:
  - {path: /, service: web, port: 8000, ready: /health/}
environments:
  prod: {compose: [compose.yaml], hosts: [blog.test]}
services:
  db: {role: state}
retention: {watch: 0s, warm: 0s}
"""


@pytest.fixture
def blog(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A Compose project of somebody that runs, and was adopted."""
    made = desk_on(machine(tmp_path / "state", tmp_path / "volumes"), tmp_path / "app", capsys)
    made.customers.shop.folder.mkdir()
    made.customers.write("berth.yaml", BLOG_FILE)
    made.customers.write("compose.yaml", COMPOSE)
    for name in ("db_password",):
        path = made.customers.shop.folder / "secrets/prod" / name
        path.parent.mkdir(parents=True, mode=0o700)
        path.write_text("a long enough password of the blog")
        path.chmod(0o600)
    run_project(made)
    made.customers.good("adopt", "old", "blog@prod")
    made.machine.world.databases.inside("old-db-1")["postgres"] = "rows of the blog"
    return made


def run_project(made: Desk) -> None:
    engine, world = made.engine, made.machine.world
    engine.networks["old_default"] = network_in("old_default", "172.28.0.0/24")
    engine.network_labels["old_default"] = {}
    for key in ("rows", "papers"):
        engine.volumes[f"old_{key}"] = {PROJECT_LABEL: "old", VOLUME_LABEL: key}
    for position, (name, reference) in enumerate(
        {"web": "registry.test/desk:v1", "db": "registry.test/postgres:15"}.items()
    ):
        found = engine.add_image(reference)
        labels = {PROJECT_LABEL: "old", SERVICE_LABEL: name}
        addresses = {"old_default": f"172.28.0.{position + 10}"}
        one = engine.add_container(f"old-{name}-1", found, labels=labels, addresses=addresses)
        one.start(world.outside.clock.now())


def test_an_adopted_project_comes_back_as_a_stack_of_its_own(blog: Desk, tmp_path: Path) -> None:
    papers = asyncio.run(blog.machine.data.volume_folder("old_papers"))
    assert papers is not None
    (papers / "letter").write_text("kept")
    done = asyncio.run(blog.machine.back_up())
    assert [item.service for item in done.manifest.databases] == ["db"]
    assert {item.name for item in done.manifest.volumes} == {"old_papers"}  # rows are dumped
    fresh = blog.lose(tmp_path / "fresh")
    restored = asyncio.run(fresh.machine.restore())
    assert restored.failed == ()
    assert "the project old is gone with its server; r1 runs what it ran" in "\n".join(
        restored.told
    )
    customers = fresh.customers
    assert fresh.contents_of("blog-prod-db-1") == {"postgres": "rows of the blog"}
    assert (tmp_path / "fresh/old_papers/letter").read_text() == "kept"
    assert customers.table.live == {"blog-prod": "blog-prod/r1"}
    assert customers.hosts() == {"blog.test": "blog-prod"}
    assert "r0" not in customers.good("releases", "blog@prod").out
    customers.good("deploy", "blog@prod", "--tag", "v2")
    assert fresh.contents_of("blog-prod-db-1") == {"postgres": "rows of the blog"}
    assert set(fresh.engine.volumes) == {"old_papers", "old_rows"}


def test_what_was_deployed_over_an_adopted_project_comes_back(blog: Desk, tmp_path: Path) -> None:
    blog.customers.good("deploy", "blog@prod", "--tag", "v2")
    done = asyncio.run(blog.machine.back_up())
    assert {item.name for item in done.manifest.volumes} == {"old_papers"}
    fresh = blog.lose(tmp_path / "fresh")
    restored = asyncio.run(fresh.machine.restore())
    assert restored.failed == ()
    assert fresh.customers.table.live == {"blog-prod": "blog-prod/r1"}
    assert fresh.contents_of("blog-prod-db-1") == {"postgres": "rows of the blog"}
    assert "was not adopted" in fresh.customers.refused("adopt", "old", "blog@prod", "--undo")
    fresh.customers.good("deploy", "blog@prod", "--tag", "v1")
    fresh.customers.good("rollback", "blog@prod")
    assert fresh.contents_of("blog-prod-db-1") == {"postgres": "rows of the blog"}


def test_files_that_do_not_render_leave_the_other_stacks_alone(blog: Desk, tmp_path: Path) -> None:
    asyncio.run(blog.machine.back_up())
    fresh = blog.lose(tmp_path / "fresh")
    fresh.customers.shop.folder.mkdir()
    fresh.customers.write("berth.yaml", "app: blog\n")  # somebody's own checkout stays
    restored = asyncio.run(fresh.machine.restore())
    ((stack, error),) = restored.failed
    assert (stack, error.exit_code) == (BLOG, 2), error
    fresh.customers.write("berth.yaml", BLOG_FILE)
    fresh.customers.write("compose.yaml", COMPOSE)
    path = fresh.customers.shop.folder / "secrets/prod/db_password"
    path.parent.mkdir(parents=True, mode=0o700)
    path.write_text("a long enough password of the blog")
    path.chmod(0o600)
    again = asyncio.run(fresh.machine.restore(is_fresh=False))
    assert (again.failed, again.stacks) == ((), (BLOG,))


def test_a_second_run_still_says_what_became_of_a_project(
    blog: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(blog.machine.back_up())
    fresh = blog.lose(tmp_path / "fresh")
    with monkeypatch.context() as patch:
        killed = Failpoint("SwapDatabase", "after", how="raise")
        place = "berthmaster.services.carry_out.failpoint_from_environment"
        patch.setattr(place, lambda: killed)
        with pytest.raises(Killed):
            asyncio.run(fresh.machine.restore())
    restored = asyncio.run(fresh.machine.restore(is_fresh=False))
    assert restored.failed == ()
    assert "the project old is gone with its server" in "\n".join(restored.told)
