from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.domainpolicy import DomainRow
from berthmaster.domain.errors import NotAllowed, OutsideError
from berthmaster.domain.spec import (
    AppSpec,
    DomainsSpec,
    EnvironmentSpec,
    RowSource,
    TenancyMode,
    TenancySpec,
)
from berthmaster.ports.outside import Outside
from berthmaster.services.domains.judge import check_domains, plan_repair, repair_domains
from berthmaster.testing.databases import FakeDatabases

SUFFIX = "statuswatch.kontentwave.digital"
FOLDER = Path("/app")
DB = "shop-prod-db-1"
ROWS = (
    DomainRow("1", "localhost", True, "public"),
    DomainRow("2", "acme.localhost", False, "acme"),
    DomainRow("3", f"acme.{SUFFIX}", True, "acme"),
    DomainRow("4", "pokus2.localhost", True, "pokus2"),
    DomainRow("5", f"demo.staging.{SUFFIX}", True, "demo"),
    DomainRow("6", f"demo.{SUFFIX}", False, "demo"),
)


class OneSpec:
    """`Specs` that always reads the same app."""

    def __init__(self, domains: DomainsSpec, tenancy: TenancySpec | None) -> None:
        there = {"prod": EnvironmentSpec("prod", ("compose.yaml",))}
        self.found = AppSpec("shop", "/app", there, tenancy=tenancy, domains=domains)

    def read(self, folder: Path) -> AppSpec:
        return self.found


def with_spec(world: World, *, source: bool = True, tenancy: bool = True) -> Outside:
    domains = DomainsSpec(source=RowSource("db") if source else None)
    given = TenancySpec(TenancyMode.POOL, {"": SUFFIX}) if tenancy else None
    return replace(world.outside, specs=cast(Any, OneSpec(domains, given)))


@pytest.fixture
async def world() -> World:
    made = empty_world()
    await made.deploy(release(1))
    databases(made).rows[DB] = ROWS
    return made


def databases(world: World) -> FakeDatabases:
    assert isinstance(world.outside.databases, FakeDatabases)
    return world.outside.databases


@pytest.mark.requirement("R30")
async def test_every_violation_is_named(world: World) -> None:
    report = await check_domains(with_spec(world), SHOP, FOLDER)
    assert {(item.rule, item.rows[0].id) for item in report.violations} == {
        ("forbidden", "1"),
        ("forbidden", "2"),
        ("forbidden", "4"),
        ("forbidden", "5"),
    }


@pytest.mark.requirement("R17", "R155")
async def test_a_repair_is_one_transaction_after_a_restore_point(world: World) -> None:
    outside = with_spec(world)
    plan = await plan_repair(outside, SHOP, FOLDER)
    assert databases(world).rows[DB] == ROWS  # a plan changes nothing
    done = await repair_domains(outside, SHOP, FOLDER)
    assert done.fix == plan.fix
    calls = [call for call, _ in world.engine.calls if call.startswith("databases.")]
    assert calls[-2:] == ["databases.take", "databases.change_domain_rows"]
    assert {row.domain: row.is_primary for row in databases(world).rows[DB]} == {
        "localhost": True,
        "acme.localhost": False,
        f"acme.{SUFFIX}": True,
        f"pokus2.{SUFFIX}": True,
        f"demo.{SUFFIX}": True,
    }
    assert done.restore_point is not None


async def test_a_second_repair_changes_nothing_and_takes_no_restore_point(world: World) -> None:
    outside = with_spec(world)
    await repair_domains(outside, SHOP, FOLDER)
    rows = databases(world).rows[DB]
    again = await repair_domains(outside, SHOP, FOLDER)
    assert (again.fix.changes, again.restore_point) == ((), None)
    assert [row.domain for row, _ in again.fix.skipped] == ["acme.localhost"]
    assert databases(world).rows[DB] == rows


async def test_without_a_restore_point_nothing_is_changed(world: World) -> None:
    world.engine.fail_next("databases.take")
    with pytest.raises(OutsideError):
        await repair_domains(with_spec(world), SHOP, FOLDER)
    assert databases(world).rows[DB] == ROWS


async def test_what_only_a_person_can_mend_is_left_and_named(world: World) -> None:
    plan = await plan_repair(with_spec(world), SHOP, FOLDER)
    assert {item.rows[0].domain for item in plan.left} == {"localhost", "acme.localhost"}


async def test_berthmasters_own_rows_need_no_repair(world: World) -> None:
    with pytest.raises(NotAllowed, match="Berthmaster's own rows"):
        await plan_repair(with_spec(world, source=False), SHOP, FOLDER)


async def test_an_app_without_tenants_is_told_what_to_write(world: World) -> None:
    outside = with_spec(world, source=False, tenancy=False)
    with pytest.raises(NotAllowed, match="write `tenancy`"):
        await check_domains(outside, SHOP, FOLDER)


async def test_an_app_without_its_table_has_no_violation(world: World) -> None:
    del databases(world).rows[DB]
    assert (await check_domains(with_spec(world), SHOP, FOLDER)).violations == ()
