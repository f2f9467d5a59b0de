"""Each check of the catalogue: it passes on a good app, and fails on one that is broken for it."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.services.checks.scene import BERTHFILE, STACK, WEB, Scene, good_scene

from berthmaster.domain import checks
from berthmaster.domain.check import CheckKind, Severity
from berthmaster.domain.container import EngineVersion
from berthmaster.domain.deployment import Lease
from berthmaster.domain.domainpolicy import DomainRow
from berthmaster.domain.errors import OutsideError, RuntimeUnavailable
from berthmaster.domain.plan import Plan
from berthmaster.domain.routing import HostClaim
from berthmaster.ports.host import Disk, Memory
from berthmaster.services.checks.register import CHECKERS
from berthmaster.testing.databases import FakeDatabases

Break = Callable[[Scene], Awaitable[None] | None]
BREAKS: dict[str, Break] = {}
# Shown in files of their own.
ELSEWHERE = frozenset(
    kind.id
    for item in CHECKERS
    for kind in item.kinds
    if item.checker.__module__.endswith((".secrets", ".mirror", ".tunnel"))
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return good_scene(tmp_path)


def breaks(check_id: str) -> Callable[[Break], Break]:
    def note(change: Break) -> Break:
        BREAKS[check_id] = change
        return change

    return note


@breaks("files")
def a_compose_file_is_missing(scene: Scene) -> None:
    (scene.folder / "compose.yaml").unlink()


@breaks("variables")
def a_variable_has_no_value(scene: Scene) -> None:
    compose = scene.world.outside.compose
    compose.known_variables = {"LEVEL": None, "TOKEN": None, "PORT": "80"}  # type: ignore[attr-defined]
    scene.world.engine.fail_next("compose.config", RuntimeUnavailable("no", subject="compose"))


@breaks("policy")
def a_service_is_privileged(scene: Scene) -> None:
    scene.web["privileged"] = True


@breaks("role")
def a_role_is_a_guess(scene: Scene) -> None:
    scene.model["services"]["nightly"] = {"build": {"context": "."}, "image": WEB}


@breaks("tracked")
def a_file_was_changed(scene: Scene) -> None:
    scene.write("compose.yaml", (scene.folder / "compose.yaml").read_text() + "# more\n")


@breaks("versions")
def an_image_has_a_version_of_its_own(scene: Scene) -> None:
    text = (scene.folder / "compose.yaml").read_text()
    scene.write("compose.yaml", text.replace("${POSTGRES_VERSION}", "16.1"))


@breaks("debug")
def debug_is_on(scene: Scene) -> None:
    scene.set(DJANGO_DEBUG="True")


@breaks("allowed_hosts")
def every_host_is_allowed(scene: Scene) -> None:
    scene.set(ALLOWED_HOSTS="shop.berth.dev,*")


@breaks("cors")
def every_origin_is_allowed(scene: Scene) -> None:
    scene.set(CORS_ALLOWED_ORIGINS='["*"]')


@breaks("app_env")
def the_app_thinks_it_is_in_development(scene: Scene) -> None:
    scene.set(DJANGO_ENV="development")


@breaks("logging")
def logs_grow_without_end(scene: Scene) -> None:
    scene.web["logging"] = {"driver": "json-file"}


@breaks("database_tls")
def the_database_is_reached_without_tls(scene: Scene) -> None:
    scene.set(DB_SSLMODE="disable")


@breaks("entrypoint")
def the_entrypoint_is_not_there(scene: Scene) -> None:
    text = (scene.folder / "berth.yaml").read_text()
    scene.write("berth.yaml", text + "    entrypoint: stage\n")


@breaks("entrypoint_port")
def somebody_else_listens(scene: Scene) -> None:
    scene.world.router.is_up = False
    scene.host.owners[8443] = "nginx (pid 812)"


@breaks("hosts")
async def another_stack_has_the_host(scene: Scene) -> None:
    claim = HostClaim("https", "shop.berth.dev", "blog-prod")
    await scene.world.router.claim_hosts([claim], fence=1)


@breaks("domains")
async def a_tenant_has_a_staging_name(scene: Scene) -> None:
    await scene.deployed()
    more = "tenancy: {mode: pool, domain: berth.dev}\ndomains: {source: {service: db}}\n"
    scene.write("berth.yaml", BERTHFILE + more)
    scene.commit()
    databases = scene.world.outside.databases
    assert isinstance(databases, FakeDatabases)
    databases.rows["shop-prod-db-1"] = (DomainRow("1", "acme.staging.berth.dev", True, "acme"),)


@breaks("gateway")
async def the_table_was_lost(scene: Scene) -> None:
    await scene.deployed()
    scene.empty_router()


@breaks("firewall")
def the_chain_was_changed(scene: Scene) -> None:
    scene.firewall.wrong = ("-A BERTH -j DROP",)


@breaks("dns")
def a_host_has_no_address(scene: Scene) -> None:
    scene.host.names.clear()


@breaks("certificate")
async def the_certificate_ends_soon(scene: Scene) -> None:
    await scene.deployed()
    scene.certificate(days=5)


@breaks("images")
def an_image_is_nowhere(scene: Scene) -> None:
    scene.web["image"] = "registry.test/shop:v2"


@breaks("architecture")
def an_image_is_for_another_machine(scene: Scene) -> None:
    scene.image(WEB, architecture="arm64")


@breaks("image_space")
def the_images_do_not_fit(scene: Scene) -> None:
    engine = scene.world.engine
    engine.images.clear()
    scene.host.disk_answer = Disk(10_000_000, 2_000_000, 100, 80)


@breaks("healthcheck")
def a_service_has_no_healthcheck(scene: Scene) -> None:
    del scene.web["healthcheck"]


@breaks("healthcheck_tool")
def the_image_has_no_curl(scene: Scene) -> None:
    engine = scene.world.engine
    engine.programs[engine.images[WEB].id] = frozenset({"wget"})


@breaks("docker")
def the_engine_is_old(scene: Scene) -> None:
    async def version() -> EngineVersion:
        return EngineVersion("19.3.15", "1.40", "amd64")

    scene.world.outside.runtime.version = version  # type: ignore[method-assign]


@breaks("compose")
def compose_is_old(scene: Scene) -> None:
    old = OutsideError("Docker Compose 2.20 is older than 2.24", subject="compose")
    scene.world.engine.fail_next("compose.version", old)


@breaks("disk")
def the_disk_is_full(scene: Scene) -> None:
    scene.host.disk_answer = Disk(10**12, 10**9, 100, 80)


@breaks("inodes")
def there_are_no_inodes(scene: Scene) -> None:
    scene.host.disk_answer = Disk(10**12, 9 * 10**11, 100, 1)


@breaks("memory")
def the_new_release_does_not_fit_beside_the_old(scene: Scene) -> None:
    scene.host.memory_answer = Memory(8 << 30, 400 << 20)


@breaks("addresses")
def the_block_is_used_up(scene: Scene) -> None:
    scene.host.route_list = ("10.201.0.0/16",)


@breaks("clock")
def the_clock_went_back(scene: Scene) -> None:
    from berthmaster.ports.store import Event

    later = scene.world.outside.clock.now() + timedelta(hours=1)
    scene.world.outside.store.record(Event(later, "ann", None, "looked_ahead"))


@breaks("database_major")
def the_volume_is_of_another_major_version(scene: Scene) -> None:
    scene.world.engine.volumes["shop-prod_data"] = {}
    scene.world.engine.volume_files["shop-prod_data", "PG_VERSION"] = "15\n"


@breaks("backup")
async def there_is_no_young_restore_point(scene: Scene) -> None:
    await scene.deployed()
    await scene.world.outside.clock.sleep(8 * 86400)


@breaks("lease")
def somebody_changes_the_stack(scene: Scene) -> None:
    scene.world.outside.store.acquire_lease(str(STACK), holder="ben@other", seconds=600)


@breaks("deployment")
def a_deployment_waits_for_a_person(scene: Scene) -> None:
    scene.world.outside.store.release_lease(somebody_is_at_a_deployment(scene))


def somebody_is_at_a_deployment(scene: Scene) -> Lease:
    store = scene.world.outside.store
    store.add_stack(STACK, "/app")
    lease = store.acquire_lease(str(STACK), holder="ben@other", seconds=600)
    plan = Plan(STACK, "deploy", None, None, "x", ())
    store.open_deployment(
        STACK, verb="deploy", plan=plan, release=None, actor="ben", fence=lease.fence
    )
    return lease


async def test_a_deployment_that_somebody_is_at_waits_for_nobody(scene: Scene) -> None:
    somebody_is_at_a_deployment(scene)
    assert [item.severity for item in await scene.of("deployment")] == [Severity.OK]


@pytest.mark.parametrize("check_id", sorted(BREAKS))
async def test_a_check_fails_on_what_it_is_there_for(scene: Scene, check_id: str) -> None:
    done = BREAKS[check_id](scene)
    if inspect.isawaitable(done):
        await done
    kind = checks.kind_of(check_id)
    assert kind is not None
    bad = [item for item in await scene.of(check_id) if item.severity is kind.severity]
    assert bad, await scene.of(check_id)
    assert all(item.evidence and item.remedy for item in bad)


@pytest.mark.parametrize("kind", checks.CATALOGUE, ids=lambda kind: kind.id)
def test_every_check_has_a_test_in_which_it_fails(kind: CheckKind) -> None:
    assert kind.id in BREAKS.keys() | ELSEWHERE


async def test_on_a_good_app_everything_passes(scene: Scene) -> None:
    await scene.deployed()
    scene.certificate()
    report = await scene.report()
    wrong = [item for item in report.checks if item.severity is not Severity.OK]
    assert [item for item in wrong if item.id not in ("docker", "backup", *ELSEWHERE)] == []
    assert report.exit_code == 0
    answered = {item.id.partition(".")[0] for item in report.checks}
    assert answered >= {kind.id for kind in checks.CATALOGUE} - ELSEWHERE


@pytest.mark.parametrize(
    ("call", "check_id"),
    [
        *(("runtime.version", "docker"), ("runtime.version", "architecture")),
        *(("registry.digest", "images"), ("runtime.find_programs", "healthcheck_tool")),
    ],
)
async def test_what_could_not_be_asked_is_never_ok(scene: Scene, call: str, check_id: str) -> None:
    for _ in range(9):
        scene.world.engine.fail_next(call, RuntimeUnavailable("it is silent", subject="x"))
    scene.world.engine.images.pop(WEB) if call == "registry.digest" else None
    (answer,) = await scene.of(check_id)
    assert answer.severity is Severity.OUTSIDE
    assert "could not be asked: it is silent" in answer.evidence


@pytest.mark.requirement("R335", "R339")
async def test_files_that_do_not_render_leave_the_rest_unknown(scene: Scene) -> None:
    await _do(BREAKS["files"], scene)
    report = await scene.report()
    assert report.exit_code == 2
    assert {item.severity for item in report.checks if item.id == "debug"} == {Severity.UNKNOWN}
    assert {item.severity for item in report.checks if item.id == "disk"} == {Severity.OK}


async def test_a_port_that_a_container_took_is_named_by_the_container(scene: Scene) -> None:
    engine = scene.world.engine
    made = engine.add_container("other-web-1", engine.images[WEB])
    scene.world.router.is_up = False
    scene.host.owners[8443] = f"haproxy (pid 812) in container {made.id}"
    (answer,) = await scene.of("entrypoint_port")
    assert answer.evidence == "port 8443 is taken by container other-web-1"


async def test_an_image_that_is_nowhere_leaves_what_needs_it_unknown(scene: Scene) -> None:
    await _do(BREAKS["images"], scene)
    report = await scene.report()
    answers = {item.id: item for item in report.checks}
    assert answers["images"].evidence.startswith("registry.test/shop:v2 is in no registry")
    assert answers["architecture"].severity is Severity.UNKNOWN


async def test_a_router_that_is_down_is_no_reason_for_silence(scene: Scene) -> None:
    scene.world.router.is_up = False
    report = await scene.report()
    answers = {item.id: item.severity for item in report.checks}
    assert answers["gateway"] is Severity.OUTSIDE
    assert answers["hosts"] is Severity.OK  # the store knows them too


async def test_a_check_beside_a_router_that_is_down_reserves_nothing(scene: Scene) -> None:
    await scene.deployed()
    store = scene.world.outside.store
    slots = store.reserve_slots("shop-prod/r1", 1)
    store.free_slots("shop-prod/r1")  # by a change that was killed before it recorded that
    scene.world.router.is_up = False
    await scene.report()
    assert store.reserve_slots("somebody", 1) == slots


async def test_an_image_that_is_not_here_is_asked_about_in_its_registry(scene: Scene) -> None:
    scene.world.engine.images.clear()
    report = await scene.report()
    answers = {item.id: item for item in report.checks}
    assert answers["architecture"].severity is Severity.OK
    assert answers["image_space"].evidence == "2 images to pull need about 6 MB"
    assert answers["healthcheck_tool"].severity is Severity.UNKNOWN
    assert not [subject for call, subject in scene.world.engine.calls if call == "runtime.pull"]


async def _do(change: Break, scene: Scene) -> None:
    done = change(scene)
    if inspect.isawaitable(done):
        await done


def test_every_kind_is_registered_once() -> None:
    registered = [kind.id for item in CHECKERS for kind in item.kinds]
    assert sorted(registered) == sorted({kind.id for kind in checks.CATALOGUE})


def test_what_a_deploy_asks_is_marked_in_the_catalogue() -> None:
    for item in CHECKERS:
        assert not item.in_deploy or all(kind.is_asked_by_deploy for kind in item.kinds)


async def test_a_missing_tag_is_asked_for_by_its_option(scene: Scene) -> None:
    compose = scene.world.outside.compose
    compose.known_variables = {"IMAGE_TAG": None}  # type: ignore[attr-defined]
    scene.world.engine.fail_next("compose.config", RuntimeUnavailable("no", subject="compose"))
    (answer,) = await scene.of("variables")
    assert (
        answer.remedy == "give IMAGE_TAG with --tag; write them into .env.prod, or give a default"
    )


async def test_services_with_the_same_setting_are_named_together(scene: Scene) -> None:
    scene.model["services"]["worker"] = {"image": WEB, "command": ["celery", "worker"]}
    for name in ("web", "worker"):
        scene.model["services"][name].setdefault("environment", {})["DEBUG"] = "1"
    (answer,) = await scene.of("debug")
    assert answer.evidence == "web, worker: DEBUG is on"
