"""A copy of production beside it: nothing is shared, and nothing of it is left."""

import io
from dataclasses import replace

import pytest
from tests.unit.cli.rehearsals import BERTHFILE, COPY, LIVE_KEY, MAP, PROD, Rehearsals

from berthmaster.domain.container import Health
from berthmaster.domain.judgement import JudgementKind
from berthmaster.testing.behaviour import NEVER_HEALTHY, Behaviour

STATE = ("watch-prod-db", "watch-prod-redis")


@pytest.mark.requirement("R5")
def test_a_copy_runs_beside_production_over_its_data(rehearsals: Rehearsals) -> None:
    before = rehearsals.running(*STATE, "watch-prod-r1")
    answer = rehearsals.good("rehearse", "prod", "--tag", "v2")
    assert "watch@prod/rehearsal  runs beside watch@prod r1" in answer.out
    assert rehearsals.databases.inside("watch-prod-rehearsal-db-1") == {"postgres": "customers"}
    assert rehearsals.running(*STATE, "watch-prod-r1") == before
    assert rehearsals.image("web").endswith("2")
    hosts = {item.host for item in rehearsals.table.hosts if item.stack == COPY.project}
    assert hosts == {"rehearsal.watch.test", "*.rehearsal.watch.test"}


def test_the_copy_is_told_of_doubles_and_knows_no_secret(rehearsals: Rehearsals) -> None:
    rehearsals.good("rehearse", "prod", "--tag", "v2")
    assert rehearsals.told("web")["EMAIL_HOST"] == "mail"
    assert rehearsals.told("web")["STRIPE_SECRET_KEY"].startswith("sk_test_")
    assert rehearsals.told("beat")["EMAIL_HOST"] == "mail"
    assert rehearsals.told("web", PROD)["STRIPE_SECRET_KEY"] == LIVE_KEY
    assert any(item.name == "mail" for item in rehearsals.live(COPY).services)
    own = rehearsals.shop.folder / "server/tenants/watch-prod-rehearsal/secrets/db_password"
    assert own.read_text() != "Zk4pQ8vLw2Rt6YbN9mXc3HsD7fGj5aTe"


def test_a_secret_of_production_is_refused_until_it_is_declared(
    rehearsals: Rehearsals, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "STRIPE_SECRET_KEY: sk_test_0123456789ab"
    rehearsals.write("berth.yaml", BERTHFILE.replace(f", {own}", ""))
    text = rehearsals.refused("rehearse", "prod")
    assert "watch@prod/rehearsal has no STRIPE_SECRET_KEY" in text
    assert "rehearsal: {env: {STRIPE_SECRET_KEY: ...}}" in text
    assert rehearsals.store.stack(COPY) is None
    given = io.TextIOWrapper(io.BytesIO(b"sk_test_3fK2mQ7xW4tR8zLpV3nB"))
    monkeypatch.setattr("sys.stdin", given)
    rehearsals.good("secrets", "set", "prod/rehearsal", "STRIPE_SECRET_KEY")
    rehearsals.good("rehearse", "prod")
    assert rehearsals.told("web")["STRIPE_SECRET_KEY"].startswith("sk_test_3f")


def test_a_secret_that_is_a_file_may_be_that_of_a_double(rehearsals: Rehearsals) -> None:
    double = "db_password: Double-9fK2mQ7xW4tR8zLpV3nB"
    rehearsals.write("berth.yaml", BERTHFILE.replace("  env: {", f"  env: {{{double}, "))
    rehearsals.good("rehearse", "prod")
    own = rehearsals.shop.folder / "server/tenants/watch-prod-rehearsal/secrets/db_password"
    assert own.read_text() == "Double-9fK2mQ7xW4tR8zLpV3nB"
    assert "db_password" not in rehearsals.told("web")


def test_a_value_that_reaches_a_service_past_the_files_is_seen(rehearsals: Rehearsals) -> None:
    """As an `env_file` of the service would bring it."""
    rehearsals.compose.literals = {
        "API_TOKEN": "tok-9fK2mQ7xW4tR8zLp",
        "DSN": "postgres://a:b4c@x/y",
    }
    rehearsals.good("deploy", "prod", "--tag", "v1", "--force")
    text = rehearsals.refused("rehearse", "prod")
    assert "would have secrets of watch@prod: beat: API_TOKEN, beat: DSN" in text
    assert "rehearsal: {secrets: [API_TOKEN, DSN]}" in text
    shared = "  secrets: [API_TOKEN]\n  env: {DSN: 'postgres://c:d5e@x/y', "
    rehearsals.write("berth.yaml", BERTHFILE.replace("  env: {", shared))
    rehearsals.good("rehearse", "prod")
    assert rehearsals.told("web")["API_TOKEN"].startswith("tok-")
    assert rehearsals.told("web")["DSN"] == "postgres://c:d5e@x/y"


@pytest.mark.requirement("R11")
@pytest.mark.requirement("R12")
def test_services_of_an_overlay_take_the_places_of_others(rehearsals: Rehearsals) -> None:
    rehearsals.good("rehearse", "prod", "--overlay", "mod.yaml", *MAP)
    assert rehearsals.image("web").startswith("registry.test/modular@")
    assert rehearsals.image("worker").startswith("registry.test/modular@")
    assert rehearsals.image("beat").startswith("registry.test/watch@")
    assert rehearsals.told("web")["DB"] == "postgres://app@db:5432/app"
    notes = rehearsals.store.deployments(COPY)[0].plan.notes
    assert "web: settings: DB is new" in notes
    assert {"redis: begins empty", "mail: only in the rehearsal"} <= set(notes)
    names = {item.name for item in rehearsals.live(COPY).services}
    assert names == {"web", "worker", "beat", "db", "redis", "mail"}
    db = next(item for item in rehearsals.live(COPY).services if item.name == "db")
    assert "rows" in str(rehearsals.live(COPY).state_model["services"][db.compose_services[0]])


def test_both_are_asked_the_same_and_answer_alike(rehearsals: Rehearsals) -> None:
    answer = rehearsals.good("rehearse", "prod", "--tag", "v2")
    assert "GET /api/ping/" in answer.out
    assert "may be shipped: 1 request answered alike; 1 smoke condition held" in answer.out
    asked = [item for item in rehearsals.prober.asked if item.path == "/api/ping/"]
    assert {item.host for item in asked} == {"watch.test"}
    assert len({item.address for item in asked}) == 2
    assert rehearsals.good("rehearse", "compare", "prod", "--json").json["is_good"]


@pytest.mark.requirement("R3")
def test_an_answer_of_another_shape_is_shown_and_ends_with_1(rehearsals: Rehearsals) -> None:
    json = {"Content-Type": "application/json"}
    old = Behaviour(Health.HEALTHY, body='{"status": "ok"}', headers=json)
    rehearsals.publish("registry.test/watch:v1", 1, old)
    rehearsals.publish("registry.test/watch:v2", 2, replace(old, body='{"state": 1}'))
    answer = rehearsals.berth("rehearse", "prod", "--tag", "v2")
    assert answer.code == 1
    assert "must not be shipped" in answer.out
    text = " ".join(rehearsals.refused("rehearse", "compare", "prod", code=1).split())
    assert "state: only in the rehearsal" in text
    assert "status: only in production" in text
    (last, *_) = rehearsals.store.judgements("watch", artifact=rehearsals.live(COPY).artifact)
    assert (last.kind, last.stack) == (JudgementKind.UNVERIFIED, COPY)


def test_finish_leaves_nothing(rehearsals: Rehearsals) -> None:
    engine = rehearsals.shop.world.engine
    before, table = engine.snapshot(), rehearsals.table
    rehearsals.good("rehearse", "prod", "--tag", "v2")
    assert "is gone" in rehearsals.good("rehearse", "finish", "prod").out
    assert engine.snapshot() == before
    assert rehearsals.table == table
    assert rehearsals.store.stack(COPY) is None
    folder = rehearsals.shop.folder / "server/tenants/watch-prod-rehearsal/secrets"
    assert [item for item in folder.iterdir() if item.name != ".gitignore"] == []
    assert "has no rehearsal" in rehearsals.refused("rehearse", "finish", "prod")


def test_a_second_rehearsal_is_refused_until_the_first_is_over(rehearsals: Rehearsals) -> None:
    rehearsals.good("rehearse", "prod", "--tag", "v2")
    text = rehearsals.refused("rehearse", "prod", "--tag", "v2")
    assert "has a rehearsal already" in text
    assert "berth rehearse finish watch@prod" in text


def test_a_release_that_is_bad_is_known_before_it_ships(rehearsals: Rehearsals) -> None:
    rehearsals.publish("registry.test/watch:v2", 2, NEVER_HEALTHY)
    before = rehearsals.running("watch-prod-")
    text = rehearsals.refused("rehearse", "prod", "--tag", "v2", code=1)
    assert "did not become healthy" in text or "unhealthy" in text
    assert rehearsals.running("watch-prod-r1", *STATE) == before
    assert rehearsals.databases.inside("watch-prod-rehearsal-db-1") == {"postgres": "first"}
    rehearsals.publish("registry.test/watch:v2", 2)
    rehearsals.good("rehearse", "prod", "--tag", "v2")
    assert rehearsals.databases.inside("watch-prod-rehearsal-db-1") == {"postgres": "customers"}


def test_a_copy_is_never_deployed_to_by_itself(rehearsals: Rehearsals) -> None:
    rehearsals.good("rehearse", "prod", "--tag", "v2")
    text = rehearsals.refused("deploy", "prod/rehearsal", "--tag", "v1")
    assert "is the rehearsal of watch@prod" in text
    answer = rehearsals.good("deploy", "--all", "--json").json
    assert "watch@prod/rehearsal" in str(answer["skipped"])


def test_a_freeze_does_not_stop_a_rehearsal(rehearsals: Rehearsals) -> None:
    rehearsals.write(".deploy-freeze", "")
    rehearsals.good("rehearse", "prod", "--tag", "v2")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--overlay", "../x.yaml"), "below the folder"),
        (("--overlay", "no.yaml"), "no.yaml: no such file"),
        (("--map", "mod_api"), "NEW=OLD"),
        (("--map", "nobody=web"), "names nobody"),
        (("--map", "a=web", "--map", "b=web"), "one place to two"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    rehearsals: Rehearsals, words: tuple[str, ...], said: str
) -> None:
    assert said in rehearsals.refused("rehearse", "prod", *words)
    assert "watch-prod-rehearsal" not in str(rehearsals.shop.world.engine.snapshot())


def test_the_copy_can_be_looked_at_like_every_stack(rehearsals: Rehearsals) -> None:
    rehearsals.good("rehearse", "prod", "--tag", "v2")
    lines = rehearsals.good("status", "--json").json["stacks"]
    assert {line["stack"] for line in lines} == {"watch@prod", "watch@prod/rehearsal"}
    rehearsals.good("verify", "prod/rehearsal")
    rehearsals.good("releases", "prod/rehearsal")
    text = rehearsals.berth("check", "prod/rehearsal", "--tag", "v2").out
    assert "watch@prod/rehearsal  1 outside" in text  # there is no certificate in this world
    assert "to change" not in text
    rehearsals.good("rehearse", "finish", "prod")
    text = rehearsals.berth("check", "prod/rehearsal", "--tag", "v2").out
    assert "berth secrets init prod/rehearsal" in text
