import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.domainpolicy import DomainRow
from berthmaster.domain.errors import NotAllowed, OutsideError
from berthmaster.domain.probing import Fetch, Fetched
from berthmaster.domain.spec import (
    AppSpec,
    DomainsSpec,
    EnvironmentSpec,
    HttpSource,
    TenancyMode,
    TenancySpec,
)
from berthmaster.ports.outside import Outside
from berthmaster.services.domains.judge import check_domains, plan_repair, repair_domains
from berthmaster.testing.prober import FakeProber

PATH = "/api/internal/domains/"
REPAIR = "/api/internal/domains/repair/"
ADDRESS = "10.201.1.2"
ROWS: list[dict[str, Any]] = [
    {"id": 1, "domain": "acme.shop.test", "is_primary": True, "tenant": "acme"},
    {"id": 2, "domain": "zeta.localhost", "is_primary": True, "tenant": "zeta", "more": 1},
]


class OneSpec:
    """`Specs` that always reads the same app and the same secret."""

    def __init__(self, folder: Path, source: HttpSource) -> None:
        domains = DomainsSpec(source=source)
        there = {"prod": EnvironmentSpec("prod", ("compose.yaml",))}
        tenancy = TenancySpec(TenancyMode.POOL, {"": "shop.test"})
        self.found = AppSpec("shop", str(folder), there, tenancy=tenancy, domains=domains)
        self.folder = folder

    def read(self, folder: Path) -> AppSpec:
        return self.found

    def secret_files(self, spec: AppSpec, environment: str) -> dict[str, str]:
        return {path.name: str(path) for path in self.folder.iterdir()}


class Scene:
    """A pooled shop that gives its domains over HTTP."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "domains_token").write_text("sesame\n")
        self.source = HttpSource("web", PATH, "domains_token")
        self.world: World = empty_world()

    @property
    def outside(self) -> Outside:
        specs = cast(Any, OneSpec(self.folder, self.source))
        return replace(self.world.outside, specs=specs)

    @property
    def prober(self) -> FakeProber:
        assert isinstance(self.world.outside.prober, FakeProber)
        return self.world.outside.prober

    def answers(self, status: int | None, body: object = "", error: str = "") -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.prober.pages[ADDRESS, PATH] = Fetched(status, text, error)


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path)
    await made.world.deploy(release(1))
    made.answers(200, ROWS)
    return made


async def test_the_live_release_is_asked_at_its_own_address_with_the_token(scene: Scene) -> None:
    report = await check_domains(scene.outside, SHOP, scene.folder)
    assert report.rows == (
        DomainRow("1", "acme.shop.test", True, "acme"),
        DomainRow("2", "zeta.localhost", True, "zeta"),
    )
    assert [item.rule for item in report.violations] == ["forbidden"]
    (asked,) = scene.prober.fetched
    assert (asked.address, asked.port, asked.path) == (ADDRESS, 8000, PATH)
    assert (asked.host, asked.token, asked.forwarded_proto) == ("shop.test", "sesame", "https")


async def test_the_list_is_shown_what_it_should_be_and_never_changed(scene: Scene) -> None:
    plan = await plan_repair(scene.outside, SHOP, scene.folder)
    assert [item.after.domain for item in plan.fix.changes if item.after] == ["zeta.shop.test"]
    with pytest.raises(NotAllowed, match="read only"):
        await repair_domains(scene.outside, SHOP, scene.folder)
    scene.answers(200, ROWS[:1])
    assert (await repair_domains(scene.outside, SHOP, scene.folder)).fix.changes == ()


async def test_an_app_that_takes_changes_gets_all_of_them_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = takes_changes(scene, monkeypatch, [ROWS[0], {**ROWS[1], "domain": "zeta.shop.test"}])
    done = await repair_domains(scene.outside, SHOP, scene.folder)
    assert sent == [
        {
            "id": "2",
            "domain": "zeta.localhost",
            "is_primary": True,
            "becomes": {"domain": "zeta.shop.test", "is_primary": True},
        }
    ]
    calls = [call for call, _ in scene.world.engine.calls]
    assert calls.count("databases.take") == 1  # before the app was asked
    assert done.restore_point is not None
    again = await repair_domains(scene.outside, SHOP, scene.folder)
    assert (again.fix.changes, len(sent)) == ((), 1)


async def test_a_list_that_stays_as_it_was_is_no_repair(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes_changes(scene, monkeypatch, ROWS)
    with pytest.raises(OutsideError, match=r"changed its domains, but not zeta\.localhost"):
        await repair_domains(scene.outside, SHOP, scene.folder)


async def test_changes_that_the_app_refuses_are_said(scene: Scene) -> None:
    scene.source = replace(scene.source, repair=REPAIR)
    scene.prober.pages[ADDRESS, REPAIR] = Fetched(409, "")
    with pytest.raises(OutsideError, match=r"did not change its domains: \S+ answered 409"):
        await repair_domains(scene.outside, SHOP, scene.folder)


async def test_without_a_restore_point_the_app_is_not_asked(scene: Scene) -> None:
    scene.source = replace(scene.source, repair=REPAIR)
    scene.world.engine.fail_next("databases.take")
    with pytest.raises(OutsideError):
        await repair_domains(scene.outside, SHOP, scene.folder)
    assert {asked.path for asked in scene.prober.fetched} == {PATH}


def takes_changes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, after: list[dict[str, Any]]
) -> list[Any]:
    """Let the app have these rows after a POST; what it was sent."""
    scene.source = replace(scene.source, repair=REPAIR)
    sent, fetch = list[Any](), scene.prober.fetch

    async def answer(wanted: Fetch) -> Fetched:
        if wanted.path != REPAIR:
            return await fetch(wanted)
        sent.extend(json.loads(wanted.sends or "")["changes"])
        scene.answers(200, after)
        return Fetched(204)

    monkeypatch.setattr(scene.prober, "fetch", answer)
    return sent


async def test_an_app_that_does_not_know_the_path_has_no_list(scene: Scene) -> None:
    scene.answers(404)
    assert (await check_domains(scene.outside, SHOP, scene.folder)).rows == ()


async def test_before_the_first_deploy_there_is_no_list(tmp_path: Path) -> None:
    made = Scene(tmp_path)
    assert (await check_domains(made.outside, SHOP, tmp_path)).rows == ()
    assert made.prober.fetched == []


@pytest.mark.parametrize(
    ("status", "error"), [(401, ""), (500, ""), (302, ""), (None, "it is too long")]
)
async def test_no_answer_is_no_empty_list(scene: Scene, status: int | None, error: str) -> None:
    scene.answers(status, error=error)
    with pytest.raises(OutsideError, match=error or str(status)):
        await check_domains(scene.outside, SHOP, scene.folder)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        {"domains": []},
        ["acme.shop.test"],
        [{"id": 1, "domain": "acme.shop.test", "is_primary": True}],
        [{"id": 1, "domain": "acme.shop.test", "is_primary": "no", "tenant": "acme"}],
        [{"id": 1, "domain": None, "is_primary": True, "tenant": "acme"}],
    ],
)
async def test_what_is_no_such_list_is_refused(scene: Scene, body: object) -> None:
    scene.answers(200, body)
    with pytest.raises(NotAllowed, match="no JSON list"):
        await check_domains(scene.outside, SHOP, scene.folder)


async def test_a_missing_secret_and_a_service_without_a_route_are_said(scene: Scene) -> None:
    scene.source = HttpSource("web", PATH, "other")
    with pytest.raises(NotAllowed, match="no secret other"):
        await check_domains(scene.outside, SHOP, scene.folder)
    scene.source = HttpSource("db", PATH, "domains_token")
    with pytest.raises(NotAllowed, match="no routed service db"):
        await check_domains(scene.outside, SHOP, scene.folder)
