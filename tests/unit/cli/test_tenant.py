"""`berth tenant`: a customer from one command to its tombstone, and back."""

import asyncio
import contextlib
import io
import json
import tarfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.customers import BERTHFILE, Customers

from berthmaster.domain.deployment import DeploymentState
from berthmaster.domain.errors import RuntimeUnavailable, UserError
from berthmaster.engine.failpoints import Killed
from berthmaster.engine.lease import hold
from berthmaster.ports.certificates import HeldCertificate
from berthmaster.ports.progress import Silence
from berthmaster.services.tenants import remove as removing
from berthmaster.services.tenants.parcel import FORMAT

TIMES = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


@pytest.mark.requirement("R235", "R237", "R243", "R252")
def test_one_command_makes_a_tenant_that_answers(customers: Customers) -> None:
    answer = customers.good("tenant", "add", "prod/acme", "--tag", "v1", "--set", "PLAN=gold")
    assert "desk@prod/acme  serves  acme.clients.test" in answer.out
    assert customers.hosts() == {"acme.clients.test": "desk-prod-acme"}
    assert customers.compose.asked["desk-prod-acme"] == {
        "TENANT": "acme",
        "TENANT_HOST": "acme.clients.test",
        "TENANT_HOSTS": "acme.clients.test",
        "PLAN": "gold",
        "IMAGE_TAG": "v1",
    }
    found = customers.good("tenant", "list", "--json").json["tenants"][0]
    assert (found["state"], found["tag"], found["hosts"]) == ("up", "v1", ["acme.clients.test"])


@pytest.mark.requirement("R236", "R251")
def test_every_tenant_has_secrets_of_its_own(customers: Customers) -> None:
    folder = customers.shop.folder / "secrets" / "prod"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "db_password").write_text("of-the-environment-and-nobody-else")
    customers.add("acme", "beta")
    found = {
        customers.secret("acme"),
        customers.secret("beta"),
        (folder / "db_password").read_text(),
    }
    assert len(found) == 3
    mounted = {
        name: dict(customers.world.outside.files.placed[f"desk-prod-{name}", 1])
        for name in ("acme", "beta")
    }
    for name in ("acme", "beta"):
        assert set(mounted[name].values()) == {customers.secret(name).encode()}


def test_the_same_again_changes_nothing(customers: Customers) -> None:
    customers.add("acme")
    answer = customers.good("tenant", "add", "prod/acme", "--tag", "v1")
    assert "is there already" in answer.out
    assert customers.live("acme") == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("prod/www",), "reserved name"),
        (("prod/billing",), "reserved name"),
        (("prod/Acme",), "not a valid tenant"),
        (("prod/r7",), "not a valid tenant"),
        (("prod/acme", "--set", "PLAN=silver"), "is there already, and not as asked"),
        (("prod/beta", "--domain", "acme.clients.test"), "belongs to desk@prod/acme"),
        (("prod/beta", "--domain", "beta.staging.test"), "it contains .staging."),
        (("prod/beta", "--domain", "a.b.clients.test"), "covers one label"),
        (("prod/beta", "--resources", "huge"), "there are: small"),
        (("prod/beta", "--set", "API_SECRET=x"), "is a secret"),
        (("prod/beta", "--set", "TENANT=x"), "is set for every tenant"),
        (("prod/beta", "--expires", "soon"), "--expires wants"),
        (("prod",), "names no tenant"),
        (("stage/beta",), "no environment"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_made(
    customers: Customers, words: tuple[str, ...], why: str
) -> None:
    customers.add("acme")
    before = customers.world.engine.snapshot()
    assert why in customers.refused("tenant", "add", *words, "--tag", "v1")
    assert customers.world.engine.snapshot() == before
    assert customers.store.tenant(customers.stack("beta")) is None


def test_a_run_that_was_stopped_is_gone_on_with(customers: Customers) -> None:
    customers.world.engine.fail_next("compose.up", RuntimeUnavailable("gone", subject="docker"))
    customers.refused("tenant", "add", "prod/acme", "--tag", "v1", code=3)
    assert customers.live("acme") is None
    made = customers.secret("acme")
    assert "unfinished" in customers.good("tenant", "list").out
    customers.add("acme")
    assert customers.live("acme")
    assert customers.secret("acme") == made


def test_a_domain_of_its_own_comes_first(customers: Customers) -> None:
    customers.good("tenant", "add", "prod/acme", "--tag", "v1", "--domain", "www.acme.test")
    found = customers.good("tenant", "show", "prod/acme", "--json").json
    assert found["hosts"] == ["www.acme.test", "acme.clients.test"]


def test_a_new_tenant_gets_the_version_of_its_neighbours(customers: Customers) -> None:
    customers.add("acme", "beta", tag="v2")
    customers.good("tenant", "add", "prod/gamma")
    assert customers.tag("gamma") == "v2"
    artifacts = {item.artifact for item in customers.store.live_releases()}
    assert len(artifacts) == 1


def test_many_come_from_a_file_and_one_bad_does_not_stop_them(customers: Customers) -> None:
    rows = ["name,domain,resources,PLAN", "acme,,small,gold", "www,,,", "beta,b.test,,", "gamma,,,"]
    customers.write("clients.csv", "\n".join(rows))
    file = str(customers.shop.folder / "clients.csv")
    answer = customers.berth("tenant", "add", "prod", "--from", file, "--tag", "v1")
    assert answer.code == 2
    assert "3 added, 0 there already, 1 failed" in answer.out
    assert "www is a reserved name" in answer.out
    assert "4/4" in answer.err
    assert customers.store.tenant(customers.stack("acme")).size == "small"
    again = customers.berth("tenant", "add", "prod", "--from", file, "--tag", "v1")
    assert "0 added, 3 there already, 1 failed" in again.out


def test_bad_rows_are_all_told_before_anybody_is_added(customers: Customers) -> None:
    customers.write("clients.csv", "name,expires\nacme,\nAcme,\nbeta,soon\nacme,\n")
    file = str(customers.shop.folder / "clients.csv")
    said = customers.refused("tenant", "add", "prod", "--from", file)
    assert all(f"clients.csv:{line}: " in said for line in (3, 4, 5))
    assert customers.store.tenants() == ()


def test_limits_of_a_size_reach_the_model(customers: Customers) -> None:
    customers.good("tenant", "add", "prod/acme", "--tag", "v1", "--resources", "small")
    release = customers.store.release(customers.stack("acme"), 1)
    web = release.model["services"]["web-r1-1"]
    db = release.state_model["services"]["db"]
    assert web["deploy"]["resources"]["limits"] == {"memory": "128m"}
    assert db["deploy"]["resources"]["limits"] == {"memory": "256m"}
    assert "max_connections=20" in db["command"]
    assert "shared_buffers=32MB" in db["command"]


def limits(customers: Customers) -> dict[str, int | None]:
    """What the router gives the servers of each live release at once."""
    table = customers.table
    found = {item.slot: item.limit for item in table.backends}
    live = {release: stack for stack, release in table.live.items()}
    return {
        live[item.release]: found[item.backend]
        for item in table.prefixes
        if item.release in live and item.backend is not None
    }


def test_the_router_keeps_a_tenants_limit_of_requests(customers: Customers) -> None:
    customers.write("berth.yaml", BERTHFILE.replace("{memory: 128m}", "{connections: 8}"))
    customers.good("tenant", "add", "prod/acme", "--tag", "v1", "--resources", "small")
    customers.add("beta")  # of no size
    assert limits(customers) == {"desk-prod-acme": 8, "desk-prod-beta": None}
    assert "at most 8 requests at once" in customers.good("show", "prod/acme").out
    waiting = customers.world.router.waiting_counts
    waiting["desk-prod-acme/r1"] = 3
    said = customers.good("health", "prod/acme").out
    assert "3 wait in the router; web takes 8 at once" in said
    waiting["desk-prod-acme/r1"] = 30
    busy = customers.berth("health", "prod/acme")
    assert (busy.code, "requests: 30 wait" in busy.out) == (1, True), busy.out
    assert "mend   berth tenant set desk@prod/acme --resources SIZE" in busy.out
    customers.write("berth.yaml", BERTHFILE.replace("{memory: 128m}", "{connections: 40}"))
    customers.good("deploy", "prod/acme", "--tag", "v1")
    assert limits(customers) == {"desk-prod-acme": 40, "desk-prod-beta": None}
    customers.good("rollback", "prod/acme")  # as memory does, a limit belongs to its release
    assert limits(customers)["desk-prod-acme"] == 8


def test_size_variables_and_end_can_be_changed_later(customers: Customers) -> None:
    customers.good("tenant", "add", "prod/acme", "--tag", "v1", "--set", "PLAN=free")
    words = ("PLAN=gold", "--resources", "small", "--expires", "2027-12-31")
    said = customers.good("tenant", "set", "prod/acme", *words).out
    assert "desk@prod/acme  size small, PLAN=gold, until 2027-12-31" in said
    assert "next: berth deploy desk@prod/acme" in said
    customers.good("deploy", "desk@prod/acme")
    release = customers.store.release(customers.stack("acme"), 2)
    web = release.model["services"]["web-r2-1"]
    assert web["deploy"]["resources"]["limits"] == {"memory": "128m"}
    assert customers.compose.asked["desk-prod-acme"]["PLAN"] == "gold"
    found = customers.good("tenant", "set", "prod/acme", "PLAN=", "--expires", "never", "--json")
    assert found.json == {
        "tenant": "desk@prod/acme",
        "size": "small",
        "values": {},
        "expires_at": None,
    }


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "nothing to change"),
        (("--resources", "huge"), "there are: small"),
        (("API_SECRET=x",), "is a secret"),
        (("TENANT=x",), "is set for every tenant"),
        (("PLAN",), "wants NAME=VALUE"),
        (("--expires", "soon"), "--expires wants"),
    ],
)
def test_a_change_that_is_wrong_is_refused(
    customers: Customers, words: tuple[str, ...], why: str
) -> None:
    customers.add("acme")
    before = customers.store.tenant(customers.stack("acme"))
    assert why in customers.refused("tenant", "set", "prod/acme", *words)
    assert customers.store.tenant(customers.stack("acme")) == before
    assert "there is no tenant" in customers.refused("tenant", "set", "prod/beta", "PLAN=x")


def test_a_suspended_tenant_is_closed_and_opens_again(customers: Customers) -> None:
    customers.add("acme", "beta")
    customers.good("tenant", "suspend", "prod/acme")
    assert customers.state("acme") == "suspended"
    running = _running(customers)
    assert not [name for name in running if "acme" in name]
    assert [name for name in running if "beta" in name]
    assert "desk-prod-acme" in customers.table.maintenance
    assert customers.hosts()["acme.clients.test"] == "desk-prod-acme"
    assert "is suspended" in customers.refused("deploy", "prod/acme", "--tag", "v2")
    customers.good("tick")
    assert not [name for name in _running(customers) if "acme" in name]
    customers.good("tenant", "unsuspend", "prod/acme")
    assert customers.state("acme") == "active"
    assert "desk-prod-acme" not in customers.table.maintenance
    assert len([name for name in _running(customers) if "acme" in name]) == 2


def _running(customers: Customers) -> list[str]:
    containers = customers.world.engine.containers.values()
    return [item.name for item in containers if item.state == "running"]


def test_an_expired_tenant_is_suspended_by_housekeeping(customers: Customers) -> None:
    customers.good("tenant", "add", "prod/acme", "--tag", "v1", "--expires", "2020-01-01")
    assert "its time is over" in customers.good("tick").out
    assert customers.state("acme") == "suspended"


@pytest.mark.requirement("R253")
def test_a_removed_tenant_leaves_a_backup_and_its_neighbour_alone(customers: Customers) -> None:
    customers.add("acme", "beta")
    before = {name for name in _running(customers) if "beta" in name}
    held = customers.world.outside.certificates.certificates
    for host in ("acme.clients.test", "beta.clients.test"):
        held[host] = HeldCertificate(host, (host,), "an authority", *TIMES)
    said = customers.refused("tenant", "remove", "prod/acme")
    assert "its name was not given" in said
    answer = customers.good("tenant", "remove", "prod/acme", "--confirm", "desk@prod/acme")
    assert "backup final-" in answer.out
    assert [name for name in customers.world.engine.containers if "acme" in name] == []
    assert [name for name in customers.world.engine.volumes if "acme" in name] == []
    assert customers.hosts() == {"beta.clients.test": "desk-prod-beta"}
    assert not [name for name in customers.store.subnets() if "acme" in name]
    assert {name for name in _running(customers) if "beta" in name} == before
    assert "was removed on" in customers.refused("tenant", "add", "prod/acme")
    tomb = customers.good("tenant", "list", "--all", "--json").json["tenants"][0]
    assert (tomb["state"], tomb["hosts"]) == ("removed", ["acme.clients.test"])
    assert list(held) == ["beta.clients.test"]


def test_a_removed_tenant_comes_back_with_its_data_and_version(customers: Customers) -> None:
    customers.good("tenant", "add", "prod/acme", "--tag", "v1", "--domain", "www.acme.test")
    customers.add("beta", tag="v2")
    db = "desk-prod-acme-db-1"
    customers.databases.inside(db)["postgres"] = "of acme"
    made = customers.secret("acme")
    customers.good("tenant", "remove", "prod/acme", "--confirm", "desk@prod/acme")
    customers.databases.contents.pop(db)  # its volume is gone
    customers.good("tenant", "restore", "prod/acme")
    assert customers.databases.inside(db) == {"postgres": "of acme"}
    assert (customers.tag("acme"), customers.secret("acme")) == ("v1", made)
    assert customers.hosts()["www.acme.test"] == "desk-prod-acme"
    assert customers.state("acme") == "active"


def test_a_restore_that_was_stopped_goes_on_and_is_done_once(customers: Customers) -> None:
    customers.add("acme")
    db = "desk-prod-acme-db-1"
    customers.databases.inside(db)["postgres"] = "of acme"
    customers.good("tenant", "remove", "prod/acme", "--confirm", "desk@prod/acme")
    customers.databases.contents.pop(db)
    customers.world.engine.fail_next("databases.restore_into")
    customers.refused("tenant", "restore", "prod/acme", code=3)
    assert customers.state("acme") == "restoring"
    for words in (("remove", "prod/acme", "--confirm", "desk@prod/acme"), ("add", "prod/acme")):
        said = customers.refused("tenant", *words)
        assert "is not back yet" in said
        assert "berth tenant restore desk@prod/acme" in said
    customers.good("tenant", "restore", "prod/acme")
    assert customers.databases.inside(db) == {"postgres": "of acme"}
    said = customers.refused("tenant", "restore", "prod/acme")
    assert "is not removed" in said


def test_a_failed_removal_leaves_nothing_to_restore(customers: Customers) -> None:
    customers.add("acme")
    customers.world.engine.fail_next("databases.take", is_late=True)
    customers.refused("tenant", "remove", "prod/acme", "--confirm", "desk@prod/acme", code=3)
    assert "is not removed" in customers.refused("tenant", "restore", "prod/acme")


@pytest.mark.parametrize("judge", ["stage", "stage/first"])
def test_what_stage_verified_gets_to_every_tenant(customers: Customers, judge: str) -> None:
    text = (customers.shop.folder / "berth.yaml").read_text()
    stage = "  stage: {compose: [compose.yaml], hosts: [stage.desk.test], secrets: secrets}\n"
    text = text.replace("services:\n", f"{stage}services:\n", 1)
    text = text.replace("hosts: [desk.test]}", "hosts: [desk.test], verified_in: stage}")
    customers.write(
        "berth.yaml",
        text.replace("domain: clients.test", "domain: {prod: clients.test, stage: s.test}"),
    )
    assert "stage" in customers.refused("tenant", "add", "prod/acme", "--tag", "v1")
    if judge == "stage":
        (customers.shop.folder / "secrets").mkdir(mode=0o700)
        customers.good("secrets", "init", "stage")
        customers.good("deploy", "stage", "--tag", "v1")
    else:
        customers.good("tenant", "add", judge, "--tag", "v1")
    customers.good("tenant", "add", "prod/acme", "--tag", "v1")
    assert customers.tag("acme") == "v1"


def test_a_host_that_somebody_took_meanwhile_refuses_the_restore(customers: Customers) -> None:
    customers.good("tenant", "add", "prod/acme", "--tag", "v1", "--domain", "www.acme.test")
    customers.good("tenant", "remove", "prod/acme", "--confirm", "desk@prod/acme")
    customers.good("tenant", "add", "prod/beta", "--tag", "v1", "--domain", "www.acme.test")
    said = customers.refused("tenant", "restore", "prod/acme")
    assert "www.acme.test belongs to desk@prod/beta" in said
    assert customers.state("acme") == "removed"


def test_a_forgotten_tenant_is_gone_for_good(customers: Customers) -> None:
    customers.add("acme")
    assert "is not removed" in customers.refused(
        "tenant", "forget", "prod/acme", "--confirm", "desk@prod/acme"
    )
    customers.good("tenant", "remove", "prod/acme", "--confirm", "desk@prod/acme")
    customers.good("tenant", "forget", "prod/acme", "--confirm", "desk@prod/acme")
    assert customers.store.tenants() == ()
    folder = customers.shop.folder / "tenants" / "desk-prod-acme" / "secrets"
    assert [path.name for path in folder.glob("*")] == []


def test_a_backup_that_fails_leaves_the_tenant_serving(customers: Customers) -> None:
    customers.add("acme")
    customers.world.engine.fail_next("databases.take")
    customers.refused("tenant", "remove", "prod/acme", "--confirm", "desk@prod/acme", code=3)
    assert customers.state("acme") == "active"
    assert len([name for name in _running(customers) if "acme" in name]) == 2
    assert "desk-prod-acme" not in customers.table.maintenance


def test_a_stack_of_an_unknown_tenant_is_not_deployed(customers: Customers) -> None:
    said = customers.refused("deploy", "prod/nobody", "--tag", "v1")
    assert "there is no tenant desk@prod/nobody" in said
    assert "berth tenant add desk@prod/nobody" in said


def test_destroying_a_tenants_stack_frees_its_hosts(customers: Customers) -> None:
    customers.add("acme")
    customers.good("destroy", "desk@prod/acme", "--confirm", "desk@prod/acme")
    assert customers.store.domains() == ()
    assert customers.state("acme") == "removed"


def test_a_deploy_to_a_tenant_that_is_not_there_leaves_no_stack(customers: Customers) -> None:
    customers.refused("deploy", "prod/ghost", "--tag", "v1")
    customers.add("acme")
    customers.good("tenant", "remove", "prod/acme", "--confirm", "desk@prod/acme")
    assert "was removed" in customers.refused("deploy", "prod/acme", "--tag", "v1")
    assert customers.store.stacks() == ()


def test_a_stack_that_is_destroyed_before_its_data_was_back_can_still_be_restored(
    customers: Customers,
) -> None:
    customers.add("acme")
    db = "desk-prod-acme-db-1"
    customers.databases.inside(db)["postgres"] = "of acme"
    customers.good("tenant", "remove", "prod/acme", "--confirm", "desk@prod/acme")
    customers.databases.contents.pop(db)
    customers.world.engine.fail_next("databases.restore_into")
    customers.refused("tenant", "restore", "prod/acme", code=3)
    customers.good("destroy", "desk@prod/acme", "--confirm", "desk@prod/acme")
    customers.databases.contents.pop(db)
    customers.good("tenant", "restore", "prod/acme")
    assert customers.databases.inside(db) == {"postgres": "of acme"}


def test_a_removal_that_another_one_overtook_keeps_its_tombstone(
    customers: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers.add("acme")
    outside, stack = customers.world.outside, customers.stack("acme")

    @contextlib.asynccontextmanager
    async def overtaken(*those: Any, **more: Any) -> AsyncIterator[Any]:
        monkeypatch.setattr(removing, "hold", hold)
        await removing.remove_tenant(outside, stack, Silence())
        async with hold(*those, **more) as lease:
            yield lease

    monkeypatch.setattr(removing, "hold", overtaken)
    with contextlib.suppress(UserError):
        asyncio.run(removing.remove_tenant(outside, stack, Silence()))
    tomb = customers.store.tenant(stack)
    assert (tomb.state, tomb.backup is not None) == ("removed", True)


@pytest.mark.parametrize("place", ["change_state", "keep_snapshot"])
@pytest.mark.parametrize(
    ("verb", "state"), [("suspend", "suspended"), ("unsuspend", "active"), ("export", "suspended")]
)
def test_a_tenant_is_known_as_what_it_is_although_the_command_was_killed(
    customers: Customers, monkeypatch: pytest.MonkeyPatch, verb: str, state: str, place: str
) -> None:
    customers.add("acme")
    if verb == "unsuspend":
        customers.good("tenant", "suspend", "prod/acme")
    out = str(customers.shop.folder / "acme.tgz")
    words = {"export": (out, "--suspend")}.get(verb, ())
    with monkeypatch.context() as patched:
        _kill(customers, patched, place)
        with pytest.raises(Killed):
            customers.berth("tenant", verb, "prod/acme", *words)
    customers.good("tick")
    assert customers.state("acme") == state
    tenant = customers.store.tenant(customers.stack("acme"))
    assert (tenant.backup is not None) == (verb == "export")


def _kill(customers: Customers, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Kill the next command after the last change of its stack, in one of two places."""
    store, change = customers.store, customers.store.change_state

    def changed(number: int, old: Any, new: Any, **more: Any) -> None:
        change(number, old, new, **more)
        if new in (DeploymentState.RETIRING, DeploymentState.SUCCEEDED):
            monkeypatch.setattr(store, "keep_snapshot", killed)
        if place == "change_state" and new is DeploymentState.RETIRING:
            killed()

    def killed() -> None:
        raise Killed

    monkeypatch.setattr(store, "change_state", changed)


@pytest.mark.parametrize(
    "words",
    [("maintenance", "off"), ("maintenance", "on"), ("rollback",), ("deploy", "--state", "db")],
    ids=" ".join,
)
def test_nothing_but_opening_it_starts_a_suspended_tenant(
    customers: Customers, words: tuple[str, ...]
) -> None:
    customers.add("acme")
    customers.good("deploy", "prod/acme", "--tag", "v2")
    customers.good("tenant", "suspend", "prod/acme")
    said = customers.refused(*words, "prod/acme")
    assert "is suspended" in said
    assert "next: berth tenant unsuspend desk@prod/acme" in said
    assert _running(customers) == []
    assert "desk-prod-acme" in customers.table.maintenance


def test_a_removed_tenant_is_found_from_everywhere(customers: Customers, tmp_path: Path) -> None:
    customers.add("acme")
    customers.good("tenant", "remove", "prod/acme", "--confirm", "desk@prod/acme")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    listed = customers.good("-C", str(elsewhere), "tenant", "list", "desk@prod", "--all")
    assert "desk@prod/acme" in listed.out
    said = customers.refused("-C", str(elsewhere), "health", "desk@prod/acme")
    assert "was removed next: berth tenant restore desk@prod/acme" in said


def test_status_and_health_say_that_a_tenant_is_suspended(customers: Customers) -> None:
    customers.add("acme")
    customers.good("tenant", "suspend", "prod/acme")
    (line,) = customers.good("status", "--json").json["stacks"]
    assert line["state"] == "suspended"
    found = customers.berth("health", "prod/acme", "--json")
    assert (found.code, found.json["verdict"]) == (1, "down")
    assert found.json["mend"] == "berth tenant unsuspend desk@prod/acme"
    customers.good("tenant", "unsuspend", "prod/acme")
    assert customers.good("health", "prod/acme", "--json").json["verdict"] == "ok"


def test_an_import_that_is_refused_leaves_no_secret_for_the_next_tenant_of_that_name(
    customers: Customers,
) -> None:
    nothing: dict[str, str] = {}
    definition: dict[str, Any] = {"format": FORMAT, "tenant": "desk@prod/acme"}
    definition |= {"backup": "export-1", "values": nothing, "labels": nothing, "hosts": []}
    file = customers.shop.folder / "acme.tgz"
    with tarfile.open(file, "w:gz") as parcel:
        for name, content in (
            ("tenant.json", json.dumps(definition)),
            ("secrets/db_password", "of somebody else"),
            ("points/export-1/../../evil", "x"),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            parcel.addfile(entry, io.BytesIO(content.encode()))
    assert "has no place in it" in customers.refused("tenant", "import", str(file))
    place = customers.shop.folder / "tenants/desk-prod-acme/secrets/db_password"
    assert not place.parent.parent.exists()
    place.parent.mkdir(parents=True, mode=0o700)
    place.write_text("of somebody else")  # as a kill leaves it
    customers.add("acme")
    assert customers.secret("acme") != "of somebody else"


@pytest.mark.parametrize(
    "words",
    [
        ("pin", "prod/acme", "--because", "a contract"),
        ("label", "prod/acme", "canary=yes"),
        ("set", "prod/acme", "--expires", "2031-01-01"),
        ("suspend", "prod/acme"),
    ],
)
def test_a_change_of_a_tenant_takes_nothing_back_that_came_in_between(
    customers: Customers, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """What is written whole was read in the same transaction, which no other command shares."""
    customers.add("acme")
    store, outside = customers.store, list[str]()
    depth = 0
    transaction, tenant, save = store.transaction, store.tenant, store.save_tenant

    @contextlib.contextmanager
    def counted() -> Iterator[None]:
        nonlocal depth
        with transaction():
            depth += 1
            yield
            depth -= 1

    read_at = 0

    def reading(stack: Any) -> Any:
        nonlocal read_at
        read_at = depth
        return tenant(stack)

    def saving(value: Any) -> None:
        outside.extend(["saved"] if not (depth and read_at) else [])
        save(value)

    monkeypatch.setattr(store, "transaction", counted)
    monkeypatch.setattr(store, "tenant", reading)
    monkeypatch.setattr(store, "save_tenant", saving)
    customers.good("tenant", *words)
    assert outside == []
