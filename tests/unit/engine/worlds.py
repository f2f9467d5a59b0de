"""A server in memory with a shop on it, and everything that may be done to it."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from tests.builders import SHOP, adopted_release, after_adoption, image, models, release

from berthmaster.domain.container import Health, PublishedPort
from berthmaster.domain.errors import BerthmasterError
from berthmaster.domain.plan import Plan
from berthmaster.domain.probing import Certificate
from berthmaster.domain.release import FileCopy, Release, ReleaseService, network_in
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.routing import Entrypoint, RouteTable, Tls
from berthmaster.domain.sealed import SealedValues
from berthmaster.domain.spec import JobSpec, Role
from berthmaster.engine.lease import hold
from berthmaster.planner.adopting import plan_adopt
from berthmaster.planner.deploy import plan_deploy
from berthmaster.planner.destroy import plan_destroy
from berthmaster.planner.maintenance import plan_maintenance
from berthmaster.planner.putback import Restore
from berthmaster.planner.rehearsing import plan_copy
from berthmaster.planner.restoring import plan_bring_back
from berthmaster.planner.retiring import plan_retire
from berthmaster.planner.rollback import can_switch_back, plan_start_again, plan_switch_back
from berthmaster.planner.state import plan_state_change, state_record
from berthmaster.planner.tenants import (
    plan_backup,
    plan_departure,
    plan_remove,
    plan_suspend,
    plan_unsuspend,
)
from berthmaster.ports.certificates import HeldCertificate
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Silence
from berthmaster.services.adopt import plan_undo
from berthmaster.services.carry_out import carry_out
from berthmaster.services.deploy import reserve_slots
from berthmaster.services.hand_over import Wish, plan_hand_back, plan_hand_over
from berthmaster.services.let_go import plan_let_go
from berthmaster.services.observe import observe_stack
from berthmaster.services.roll_back import plan_rollback
from berthmaster.testing.behaviour import Behaviour, exits
from berthmaster.testing.certificates import FakeCertificates
from berthmaster.testing.clock import FakeClock
from berthmaster.testing.compose import FakeCompose
from berthmaster.testing.databases import Contents, FakeDatabases
from berthmaster.testing.files import FakeFiles
from berthmaster.testing.gateway import FakeGateway
from berthmaster.testing.host import FakeFirewall, FakeHost
from berthmaster.testing.prober import FakeProber
from berthmaster.testing.registry import FakeRegistry
from berthmaster.testing.router import FakeRouter
from berthmaster.testing.runtime import FakeRuntime
from berthmaster.testing.secretfiles import FakeSecretFiles
from berthmaster.testing.store import memory_store
from berthmaster.testing.vault import FakeVault
from berthmaster.testing.world import FakeContainer, FakeEngine, Snapshot

DB = "shop-prod-db-1"
ENTRYPOINTS = (Entrypoint("https", 8443, Tls.LOCAL),)


@dataclass(frozen=True, slots=True)
class View:
    """All that a client, an operator and the next command can see; volumes are never undone."""

    containers: Any
    networks: Any
    table: RouteTable
    live: int | None
    is_in_maintenance: bool
    applied: Any
    databases: Any
    passwords: Any
    takeover: Any
    redirects: Any
    restarts: Any  # policies of containers that somebody else made


@dataclass(slots=True)
class World:
    """The twins behind one `Outside`."""

    engine: FakeEngine
    outside: Outside
    router: FakeRouter
    gateway: FakeGateway
    firewall: FakeFirewall

    @property
    def databases(self) -> FakeDatabases:
        assert isinstance(self.outside.databases, FakeDatabases)
        return self.outside.databases

    async def view(self) -> View:
        snapshot: Snapshot = self.engine.snapshot()
        record = self.outside.store.stack(SHOP)
        return View(
            snapshot.containers,
            snapshot.networks,
            _sorted(await self.router.table()),
            record.live if record else None,
            bool(record and record.is_in_maintenance),
            dict(self.outside.store.applied_states(SHOP)),
            {
                name: dict(item.databases)
                for name, item in self.databases.contents.items()
                if item != Contents()
            },
            dict(self.databases.passwords),
            self.gateway.taken,
            self.firewall.led,
            {name: item.restart for name, item in self.engine.containers.items() if item.published},
        )

    def record(self, value: Release) -> Release:
        """Put a release and its images where a deploy would find them."""
        secrets = {item.target: b"s" for item in value.files if item.is_secret}
        values = {
            name: dict(service["environment"])
            for name, service in value.state_model["services"].items()
            if "environment" in service
        }
        sealed = self.outside.vault.seal(SealedValues(values, secrets).to_bytes())
        value = replace(value, sealed=sealed)
        for item in value.services:
            if item.image and item.image.runs_as not in self.engine.remote_images:
                self.engine.add_image(item.image.runs_as, is_local=False)
                self.engine.script(item.image.runs_as, Behaviour(health=Health.HEALTHY))
        self.outside.store.add_stack(SHOP, "/app")
        if self.outside.store.release(SHOP, value.number) is None:
            self.outside.store.add_release(value)
        return value

    async def plan_deploy(self, value: Release, verb: str = "deploy") -> Plan:
        value = self.record(value)
        observed = await observe_stack(self.outside, SHOP, release=value)
        slots = reserve_slots(self.outside, value)
        if verb == "deploy":
            return plan_deploy(value, observed, slots=slots)
        if can_switch_back(value, observed):
            return plan_switch_back(value, observed, slots=slots)
        return plan_start_again(value, observed, slots=slots)

    async def plan_state(self, value: Release) -> Plan:
        """Change the database to what `value` says of it."""
        db = models(value.services, value.number, value.network.name)[1]
        network = {"name": value.stack_network.name, "external": True}
        db = {**db, "networks": {**db["networks"], "stack": network}}
        recorded = self.record(state_record(replace(value, state_model=db), frozenset({"db"})))
        observed = await observe_stack(self.outside, SHOP, release=recorded)
        return plan_state_change(recorded, observed)

    async def carry_out(self, plan: Plan) -> None:
        async with hold(self.outside.store, str(SHOP), what="test") as lease:
            await carry_out(self.outside, lease, plan, Silence())

    async def deploy(self, value: Release) -> None:
        await self.carry_out(await self.plan_deploy(value))


def empty_world() -> World:
    clock = FakeClock()
    engine = FakeEngine(clock=clock)
    router = FakeRouter(ENTRYPOINTS)
    gateway, firewall = FakeGateway(engine), FakeFirewall(engine=engine)
    outside = Outside(
        runtime=FakeRuntime(engine),
        compose=FakeCompose(engine),
        router=router,
        gateway=gateway,
        certificates=FakeCertificates(),
        prober=FakeProber(engine, router),
        registry=FakeRegistry(engine),
        store=memory_store(clock),
        vault=FakeVault(),
        secret_files=FakeSecretFiles(),
        files=FakeFiles(),
        specs=cast(Any, None),
        databases=FakeDatabases(engine),
        firewall=firewall,
        clock=clock,
        host=FakeHost(),
        entrypoints=ENTRYPOINTS,
        address_block="10.201.0.0/16",
        actor="ann@test",
        origin="test",
    )
    return World(engine, outside, router, gateway, firewall)


Scenario = Callable[[World], Awaitable[Plan]]


async def first_deploy(world: World) -> Plan:
    return await world.plan_deploy(release(1))


async def update(world: World) -> Plan:
    await world.deploy(release(1))
    return await world.plan_deploy(release(2))


async def update_with_warm(world: World) -> Plan:
    await world.deploy(release(1))
    await world.deploy(release(2))
    return await world.plan_deploy(release(3))


async def incompatible_migration(world: World) -> Plan:
    await world.deploy(release(1))
    job = JobSpec("migrate", "web", ("migrate",), is_compatible=False, is_migration=True)
    return await world.plan_deploy(release(2, jobs=(job,)))


async def warm_rollback(world: World) -> Plan:
    await world.deploy(release(1))
    await world.deploy(release(2))
    return await world.plan_deploy(release(1), verb="rollback")


async def cold_rollback(world: World) -> Plan:
    for number in (1, 2, 3):
        await world.deploy(release(number))
    summaries = world.outside.store.releases(SHOP)
    assert {item.number: item.state for item in summaries}[1] is ReleaseState.RETIRED
    return await world.plan_deploy(release(1), verb="rollback")


async def state_change(world: World) -> Plan:
    await world.deploy(release(1))
    return await world.plan_state(with_other_database(2))


async def second_state_change(world: World) -> Plan:
    await world.deploy(release(1))
    await world.carry_out(await world.plan_state(with_other_database(2)))
    return await world.plan_state(with_other_database(3))


async def deploy_after_a_state_change_that_went_missing(world: World) -> Plan:
    await second_state_change(world)
    await world.outside.runtime.remove("shop-prod-db-1")
    return await world.plan_deploy(release(4))


def with_other_database(number: int) -> Release:
    """The shop with another build of its database, and a file that the database mounts."""
    value = release(number)
    files = (FileCopy("configs/db.conf", "", is_secret=True, is_state=True),)
    return release(number, services=other_database(value.services, number), files=files)


def other_database(services: tuple[ReleaseService, ...], number: int) -> tuple[ReleaseService, ...]:
    pin = image("db", number)
    return tuple(replace(item, image=pin) if item.name == "db" else item for item in services)


async def rollback_with_data(world: World) -> Plan:
    """The target is still warm: its containers are there, and stop writing for the restore."""
    await incompatible(world, 2)
    return await plan_rollback(world.outside, SHOP, to=1, restore_point="before-r2")


async def cold_rollback_with_data(world: World) -> Plan:
    await incompatible(world, 2)
    await world.deploy(release(3))
    return await plan_rollback(world.outside, SHOP, to=1, restore_point="before-r2")


async def data_put_back_under_the_live_release(world: World) -> Plan:
    """A migration that was unwound had changed the data for good."""
    await world.deploy(release(1))
    world.record(release(2))
    world.engine.script("shop-prod-r2-job-migrate", exits(4))
    with contextlib.suppress(BerthmasterError):
        await world.deploy(release(2))
    world.databases.inside("shop-prod-db-1")["postgres"] = "harmed"
    return await plan_rollback(world.outside, SHOP, to=1, restore_point="before-r2")


async def bring_back(world: World) -> Plan:
    """The records came to a fresh server, and nothing else is there."""
    await world.deploy(release(1))
    folder = world.outside.files.dump_folder(SHOP.project)
    await world.databases.take(DB, folder, "backup-db")
    world.databases.contents.clear()
    for shelf in (world.engine.containers, world.engine.networks, world.engine.network_labels):
        shelf.clear()
    world.router._table = RouteTable()
    value = world.outside.store.release(SHOP, 1)
    assert value
    observed = await observe_stack(world.outside, SHOP, release=value)
    restore = Restore("backup-db", DB, ("postgres",), "20260301_031500")
    slots = reserve_slots(world.outside, value)
    return plan_bring_back(value, observed, (restore,), slots=slots)


async def rehearsal(world: World) -> Plan:
    """A stack begins with the data of another one, which lies in its own restore points."""
    made = world.engine.add_container("their-db-1", world.engine.add_image("their-db"))
    made.start(world.outside.clock.now())
    world.databases.inside("their-db-1")["postgres"] = "theirs"
    folder = world.outside.files.dump_folder(SHOP.project)
    point = await world.databases.take("their-db-1", folder, "copy-db")
    value = world.record(release(1))
    observed = await observe_stack(world.outside, SHOP, release=value)
    restore = Restore(point.name, DB, point.databases, "20260301_031500")
    slots = reserve_slots(world.outside, value)
    return plan_deploy(value, observed, slots=slots, verb="rehearse", restores=(restore,))


async def copied_data(world: World) -> Plan:
    """The dump that it begins with: of a database that is not its own."""
    made = world.engine.add_container("their-db-1", world.engine.add_image("their-db"))
    made.start(world.outside.clock.now())
    world.outside.store.add_stack(SHOP, "/app")
    (db,) = release(1).with_role(Role.STATE)
    theirs = replace(db, containers=("their-db-1",))
    return plan_copy(SHOP, (theirs,), await observe_stack(world.outside, SHOP), "copy")


async def incompatible(world: World, number: int) -> None:
    """Run r1, and after it a release whose migration its code cannot live with."""
    await world.deploy(release(1))
    job = JobSpec("migrate", "web", ("migrate",), is_compatible=False, is_migration=True)
    await world.deploy(release(number, jobs=(job,)))
    world.databases.inside("shop-prod-db-1")["postgres"] = "later"


async def rotated_password(world: World) -> Plan:
    await world.deploy(with_password(1, "first"))
    world.databases.passwords[DB] = "first"
    return await world.plan_deploy(with_password(2, "second"))


async def warm_rollback_of_a_password(world: World) -> Plan:
    await world.carry_out(await rotated_password(world))
    return await world.plan_deploy(with_password(1, "first"), verb="rollback")


async def cold_rollback_of_a_password(world: World) -> Plan:
    await world.carry_out(await rotated_password(world))
    await world.deploy(with_password(3, "second"))
    return await world.plan_deploy(with_password(1, "first"), verb="rollback")


def with_password(number: int, password: str) -> Release:
    """The shop whose database has this password; `World.record` seals it."""
    value = release(number)
    state = value.state_model
    db = {**state["services"]["db"], "environment": {"POSTGRES_PASSWORD": password}}
    return replace(value, state_model={**state, "services": {"db": db}})


async def maintenance(world: World) -> Plan:
    await world.deploy(release(1))
    return plan_maintenance(await observe_stack(world.outside, SHOP), is_on=True)


async def retire(world: World) -> Plan:
    await world.deploy(release(1))
    await world.deploy(release(2))
    old = world.outside.store.release(SHOP, 1)
    assert old
    return plan_retire(old, await observe_stack(world.outside, SHOP), "its warm time is over")


async def destroy(world: World) -> Plan:
    await world.deploy(release(1))
    observed = await observe_stack(world.outside, SHOP)
    return plan_destroy(observed, numbers=(1,), removes_volumes=True)


async def destroy_in_maintenance(world: World) -> Plan:
    await world.carry_out(await maintenance(world))
    observed = await observe_stack(world.outside, SHOP)
    return plan_destroy(observed, numbers=(1,), removes_volumes=True)


async def suspend(world: World) -> Plan:
    await world.deploy(release(1))
    return plan_suspend(await observe_stack(world.outside, SHOP))


async def unsuspend(world: World) -> Plan:
    await world.carry_out(await suspend(world))
    return plan_unsuspend(_live(world), await observe_stack(world.outside, SHOP))


async def backup(world: World) -> Plan:
    await world.deploy(release(1))
    return plan_backup(_live(world), await observe_stack(world.outside, SHOP), "asked-for")


async def departure(world: World) -> Plan:
    await world.deploy(release(1))
    return plan_departure(_live(world), await observe_stack(world.outside, SHOP), "asked-for")


async def departure_of_a_suspended_one(world: World) -> Plan:
    await world.carry_out(await suspend(world))
    return plan_departure(_live(world), await observe_stack(world.outside, SHOP), "asked-for")


async def remove_tenant(world: World) -> Plan:
    await world.deploy(release(1))
    observed = await observe_stack(world.outside, SHOP)
    return plan_remove(_live(world), observed, numbers=(1,), backup="final")


async def remove_suspended_tenant(world: World) -> Plan:
    await world.carry_out(await suspend(world))
    observed = await observe_stack(world.outside, SHOP)
    return plan_remove(_live(world), observed, numbers=(1,), backup="final")


def _live(world: World) -> Release:
    found = world.outside.store.release(SHOP, 1)
    assert found
    return found


def with_foreign_project(world: World) -> Release:
    """A Compose project of somebody else runs, with a network and a volume of its own."""
    value = world.record(adopted_release())
    world.engine.networks["old_default"] = network_in("old_default", "172.28.0.0/24")
    world.engine.network_labels["old_default"] = {}
    world.engine.volumes["old_data"] = {}
    for position, (name, item_id) in enumerate(value.adopted.items()):
        service = next(item for item in value.services if name in item.containers)
        assert service.image
        found = world.engine.add_image(service.image.runs_as)
        labels = {"com.docker.compose.project": "old", "com.docker.compose.service": service.name}
        addresses = {"old_default": f"172.28.0.{position + 10}"}
        made = world.engine.add_container(name, found, labels=labels, addresses=addresses)
        made.id = item_id
        made.start(world.outside.clock.now())
    return value


async def adoption(world: World) -> Plan:
    value = with_foreign_project(world)
    observed = await observe_stack(world.outside, SHOP, release=value)
    return plan_adopt(value, observed, slots=reserve_slots(world.outside, value))


async def deploy_over_an_adopted_project(world: World) -> Plan:
    await world.carry_out(await adoption(world))
    return await world.plan_deploy(after_adoption(1))


def with_own_proxy(world: World, config: bytes = b"proxy_pass http://old-web-1:8000;") -> None:
    """Its owner's nginx goes on passing requests to what was adopted."""
    made = with_proxy(world)
    made.addresses = {"old_default": "172.28.0.9"}
    runtime = world.outside.runtime
    assert isinstance(runtime, FakeRuntime)
    runtime.programs["nginx"] = lambda container, arguments, source: (0, config)


async def deploy_beside_the_owners_proxy(world: World) -> Plan:
    await world.carry_out(await adoption(world))
    with_own_proxy(world)
    return await world.plan_deploy(after_adoption(1))


async def second_deploy_beside_the_owners_proxy(world: World) -> Plan:
    await world.carry_out(await deploy_beside_the_owners_proxy(world))
    return await world.plan_deploy(after_adoption(2))


async def incompatible_migration_beside_the_owners_proxy(world: World) -> Plan:
    await world.carry_out(await adoption(world))
    with_own_proxy(world)
    job = JobSpec("migrate", "web", ("migrate",), is_compatible=False, is_migration=True)
    return await world.plan_deploy(replace(after_adoption(1), jobs=(job,)))


async def letting_go_of_what_was_adopted(world: World) -> Plan:
    await world.carry_out(await deploy_beside_the_owners_proxy(world))
    return await plan_let_go(world.outside, SHOP, "old", despite="the proxy goes, too")


async def second_deploy_over_an_adopted_project(world: World) -> Plan:
    await world.carry_out(await deploy_over_an_adopted_project(world))
    return await world.plan_deploy(after_adoption(2))


async def rollback_to_what_was_adopted(world: World) -> Plan:
    await world.carry_out(await deploy_over_an_adopted_project(world))
    return await plan_rollback(world.outside, SHOP, to=0)


async def cold_rollback_to_what_was_adopted(world: World) -> Plan:
    await world.carry_out(await second_deploy_over_an_adopted_project(world))
    return await plan_rollback(world.outside, SHOP, to=0)


async def giving_back(world: World) -> Plan:
    await world.carry_out(await rollback_to_what_was_adopted(world))
    return await plan_undo(world.outside, SHOP, "old")


async def change_of_an_adopted_database(world: World) -> Plan:
    await world.carry_out(await deploy_over_an_adopted_project(world))
    changed = with_other_database(2)
    network = adopted_release().stack_network
    return await world.plan_state(replace(changed, stack_network=network))


def with_proxy(world: World) -> FakeContainer:
    """Somebody's nginx in front of the project, which ends TLS at 443 with a certificate of its
    own; the gateway has the same.
    """
    labels = {"com.docker.compose.project": "old", "com.docker.compose.service": "proxy"}
    made = world.engine.add_container(
        "old-proxy-1", world.engine.add_image("nginx:1.27"), labels=labels
    )
    made.image, made.restart = "nginx:1.27", "always"
    made.published = (PublishedPort(443, 443), PublishedPort(443, 443, "udp"))
    made.start(world.outside.clock.now())
    now = world.outside.clock.now()
    held = HeldCertificate("shop.test", ("shop.test",), "CN=R3", now, now + timedelta(90), True)
    assert isinstance(world.outside.certificates, FakeCertificates)
    world.outside.certificates.certificates["shop.test"] = held
    assert isinstance(world.outside.prober, FakeProber)
    shown = Certificate(("shop.test",), "CN=R3", now, now + timedelta(90))
    world.outside.prober.certificates["shop.test"] = shown
    return made


async def hand_over(world: World) -> Plan:
    await world.carry_out(await adoption(world))
    with_proxy(world)
    return await plan_hand_over(world.outside, Wish(SHOP, "old", "proxy"))


async def hand_back(world: World) -> Plan:
    await world.carry_out(await hand_over(world))
    return await plan_hand_back(world.outside, SHOP, "old")


SCENARIOS: dict[str, Scenario] = {
    item.__name__: item
    for item in (
        first_deploy,
        update,
        update_with_warm,
        incompatible_migration,
        warm_rollback,
        cold_rollback,
        rollback_with_data,
        cold_rollback_with_data,
        data_put_back_under_the_live_release,
        bring_back,
        rehearsal,
        copied_data,
        rotated_password,
        warm_rollback_of_a_password,
        cold_rollback_of_a_password,
        state_change,
        second_state_change,
        deploy_after_a_state_change_that_went_missing,
        maintenance,
        retire,
        destroy,
        destroy_in_maintenance,
        suspend,
        unsuspend,
        backup,
        remove_tenant,
        departure,
        departure_of_a_suspended_one,
        remove_suspended_tenant,
        adoption,
        deploy_over_an_adopted_project,
        deploy_beside_the_owners_proxy,
        second_deploy_beside_the_owners_proxy,
        incompatible_migration_beside_the_owners_proxy,
        letting_go_of_what_was_adopted,
        second_deploy_over_an_adopted_project,
        rollback_to_what_was_adopted,
        cold_rollback_to_what_was_adopted,
        giving_back,
        change_of_an_adopted_database,
        hand_over,
        hand_back,
    )
}


def _sorted(table: RouteTable) -> RouteTable:
    """Order says nothing in a table."""
    return replace(
        table,
        hosts=tuple(sorted(table.hosts, key=lambda item: item.host)),
        live=dict(sorted(table.live.items())),
        prefixes=tuple(sorted(table.prefixes, key=lambda item: (item.release, item.path))),
        backends=tuple(sorted(table.backends, key=lambda item: item.slot)),
    )
