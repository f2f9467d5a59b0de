"""What was rehearsed becomes production's next release, and nothing else does."""

from datetime import datetime, timedelta

import pytest
from tests.unit.cli.rehearsals import BERTHFILE, COPY, MAP, OVERLAY, PROD, Rehearsals

from berthmaster.domain.release import network_in
from berthmaster.testing.behaviour import Behaviour
from berthmaster.testing.clock import FakeClock

STATE = ("watch-prod-db", "watch-prod-redis")


@pytest.fixture
def rehearsed(rehearsals: Rehearsals) -> Rehearsals:
    """The modular layout runs beside production."""
    rehearsals.good("rehearse", "prod", "--tag", "v2", "--overlay", "mod.yaml", *MAP)
    return rehearsals


@pytest.mark.requirement("R6")
@pytest.mark.requirement("R35")
def test_the_same_artifact_becomes_the_next_release(rehearsed: Rehearsals) -> None:
    before = rehearsed.running(*STATE)
    answer = rehearsed.good("rehearse", "ship", "prod", "--json").json
    assert (answer["stack"], answer["verb"], answer["release"]) == ("watch@prod", "ship", 2)
    assert rehearsed.live(PROD).artifact == rehearsed.live(COPY).artifact
    assert rehearsed.image("web", PROD) == rehearsed.image("web")
    assert rehearsed.told("web", PROD)["DB"] == "postgres://app@db:5432/app"
    assert "EMAIL_HOST" not in rehearsed.told("web", PROD)
    assert {item.name for item in rehearsed.live(PROD).services} == {
        *("web", "worker", "beat", "db", "redis")
    }
    assert rehearsed.running(*STATE) == before
    assert rehearsed.databases.inside("watch-prod-db-1") == {"postgres": "customers"}


def test_a_tag_that_was_pushed_again_ships_what_was_rehearsed(rehearsed: Rehearsals) -> None:
    rehearsed.publish("registry.test/modular:v2", 99)
    answer = rehearsed.good("rehearse", "ship", "prod")
    assert "modular:v2 was pushed again" in answer.err
    assert rehearsed.image("web", PROD) == rehearsed.image("web")


def test_later_deploys_keep_the_layout_that_runs(rehearsed: Rehearsals) -> None:
    rehearsed.good("rehearse", "ship", "prod")
    rehearsed.good("rehearse", "finish", "prod")
    assert "nothing changed" in rehearsed.good("deploy", "prod", "--tag", "v2").out
    rehearsed.good("deploy", "prod", "--tag", "v1")
    assert rehearsed.image("web", PROD).startswith("registry.test/modular@")


def test_a_deploy_as_written_ends_the_layout(rehearsed: Rehearsals) -> None:
    rehearsed.good("rehearse", "ship", "prod")
    plan = rehearsed.good("deploy", "prod", "--tag", "v2", "--as-written", "--plan").out
    assert "nothing changed" not in plan
    assert "nothing changed" in rehearsed.good("deploy", "prod", "--tag", "v2", "--plan").out
    rehearsed.good("deploy", "prod", "--tag", "v2", "--as-written")
    assert rehearsed.image("web", PROD).startswith("registry.test/watch@")
    rehearsed.good("deploy", "prod", "--tag", "v1")
    assert rehearsed.image("web", PROD).startswith("registry.test/watch@")


@pytest.mark.requirement("R8")
def test_a_rollback_ends_the_layout_too(rehearsed: Rehearsals) -> None:
    rehearsed.good("rehearse", "ship", "prod")
    before = rehearsed.running(*STATE)
    rehearsed.good("rollback", "prod")
    assert rehearsed.image("web", PROD).startswith("registry.test/watch@")
    assert rehearsed.running(*STATE) == before
    rehearsed.good("rehearse", "ship", "prod")
    assert rehearsed.image("web", PROD).startswith("registry.test/modular@")
    rehearsed.good("rollback", "prod")
    rehearsed.good("deploy", "prod", "--tag", "v2")
    assert rehearsed.image("web", PROD).startswith("registry.test/watch@")


def test_berth_yaml_may_say_it_itself(rehearsed: Rehearsals) -> None:
    rehearsed.good("rehearse", "ship", "prod")
    places = "map: {mod_api: web, mod_worker: worker, mod_db: db}"
    written = BERTHFILE.replace("[compose.yaml]", f"[compose.yaml, mod.yaml], {places}")
    rehearsed.write("berth.yaml", written)
    rehearsed.good("deploy", "prod", "--tag", "v2")
    assert rehearsed.image("web", PROD).startswith("registry.test/modular@")
    assert not rehearsed.live(PROD).overlay


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("berth.yaml", BERTHFILE + "x-a: 1\n", "berth.yaml changed"),
        ("mod.yaml", OVERLAY + "# another line\n", "mod.yaml changed"),
        ("secrets/prod/STRIPE_SECRET_KEY", "sk_live_8fK2mQ7xW4tR8zLpV3nB", "configuration of"),
    ],
)
def test_what_changed_since_does_not_ship(
    rehearsed: Rehearsals, name: str, text: str, said: str
) -> None:
    rehearsed.write(name, text)
    assert said in rehearsed.refused("rehearse", "ship", "prod")
    assert rehearsed.live(PROD).number == 1


def test_production_that_moved_on_is_seen(rehearsed: Rehearsals) -> None:
    rehearsed.good("deploy", "prod", "--tag", "v2")
    text = rehearsed.refused("rehearse", "ship", "prod")
    assert "ran r1 when it was rehearsed, and runs r2 now" in text


def test_what_was_not_alike_does_not_ship(rehearsed: Rehearsals) -> None:
    rehearsed.shop.world.engine.script("registry.test/modular:v2", Behaviour(status=500))
    assert rehearsed.berth("rehearse", "compare", "prod").code == 1
    text = rehearsed.refused("rehearse", "ship", "prod")
    assert "parity of GET /api/ping/" in text
    assert "berth rehearse compare watch@prod" in text


def test_what_was_compared_long_ago_is_compared_again(rehearsed: Rehearsals) -> None:
    clock = rehearsed.shop.world.outside.clock
    assert isinstance(clock, FakeClock)
    clock.advance(timedelta(days=2).total_seconds())
    assert "too long ago" in rehearsed.refused("rehearse", "ship", "prod")
    rehearsed.good("rehearse", "compare", "prod")
    rehearsed.good("rehearse", "ship", "prod")


def test_a_freeze_for_the_cutover_lets_it_through_and_nothing_else(rehearsed: Rehearsals) -> None:
    rehearsed.write(".deploy-freeze", "")
    assert "is frozen" in rehearsed.refused("deploy", "prod", "--tag", "v2")
    rehearsed.good("rehearse", "ship", "prod", "--plan")
    rehearsed.write(".deploy-freeze", "prod always cutover to the modular stack\n")
    assert "is frozen" in rehearsed.refused("deploy", "prod", "--tag", "v2")
    rehearsed.good("rehearse", "ship", "prod")


def test_another_freeze_and_a_hold_stop_it(rehearsed: Rehearsals) -> None:
    rehearsed.write(".deploy-freeze", "prod always cutover\nprod always quarter end\n")
    assert "quarter end" in rehearsed.refused("rehearse", "ship", "prod")
    rehearsed.write(".deploy-freeze", "stage always nothing\n")
    rehearsed.good("hold", "prod", "--why", "an audit")
    assert "is held" in rehearsed.refused("rehearse", "ship", "prod")
    rehearsed.good("rehearse", "ship", "prod", "--despite", "the auditor agreed")


def test_the_maintenance_page_is_up_until_the_switch_when_asked(rehearsed: Rehearsals) -> None:
    plan = rehearsed.good("rehearse", "ship", "prod", "--maintenance", "--plan").out
    before, job, after = (
        plan.index(f"  {text}") for text in ("maintenance on ", "job migrate ", "maintenance off  ")
    )
    assert before < job < after
    assert "maintenance page: at most" in plan
    rehearsed.good("rehearse", "ship", "prod", "--maintenance")
    assert not rehearsed.store.stack(PROD).is_in_maintenance


def test_there_must_be_a_rehearsal(rehearsals: Rehearsals) -> None:
    assert "has no rehearsal" in rehearsals.refused("rehearse", "ship", "prod")
    assert "has no rehearsal" in rehearsals.refused("rehearse", "compare", "prod")


WINDOW = "prod 2026-01-03T19:30Z 2026-01-03T21:00Z cutover to the modular stack\n"


def at(rehearsals: Rehearsals, text: str) -> None:
    clock = rehearsals.shop.world.outside.clock
    assert isinstance(clock, FakeClock)
    clock.advance((datetime.fromisoformat(text) - clock.now()).total_seconds())


@pytest.fixture
def noticed(rehearsals: Rehearsals) -> Rehearsals:
    """24 hours of notice are wanted; the server's clock stands at noon of 2026-01-01."""
    changed = BERTHFILE.replace("  parity:", "  notice: 24h\n  fresh: 7d\n  parity:")
    rehearsals.write("berth.yaml", changed)
    rehearsals.good("rehearse", "prod", "--tag", "v2")
    rehearsals.write(".deploy-freeze", WINDOW)
    return rehearsals


def test_it_ships_in_the_window_that_was_announced(noticed: Rehearsals) -> None:
    assert "none is open" in noticed.refused("rehearse", "ship", "prod")
    text = noticed.good("rehearse", "announce", "prod").out
    assert "watch@prod is moved on 2026-01-03 between 19:30 and 21:00 UTC" in text
    at(noticed, "2026-01-03T19:45+00:00")
    assert "is frozen until 2026-01-03 21:00" in noticed.refused("deploy", "prod", "--tag", "v2")
    noticed.good("rehearse", "ship", "prod")


def test_a_window_that_nobody_was_told_of_in_time_is_refused(noticed: Rehearsals) -> None:
    at(noticed, "2026-01-03T10:00+00:00")
    text = noticed.refused("rehearse", "announce", "prod")
    assert "begins in 10 h, and 24 h of notice are wanted" in text
    at(noticed, "2026-01-03T19:45+00:00")
    assert "was not announced 24 h before" in noticed.refused("rehearse", "ship", "prod")
    noticed.good("rehearse", "ship", "prod", "--despite", "the old one is down anyway")


def test_there_must_be_a_window_to_announce(noticed: Rehearsals) -> None:
    noticed.write(".deploy-freeze", "prod always cutover\n")
    assert "no cutover window of prod" in noticed.refused("rehearse", "announce", "prod")


@pytest.fixture
def adopted(rehearsals: Rehearsals) -> Rehearsals:
    """Production is a Compose project that somebody else started, and Berthmaster stands beside."""
    rehearsals.good("destroy", "prod", "--confirm", "watch@prod")
    engine = rehearsals.shop.world.engine
    engine.networks["old_default"] = network_in("old_default", "172.28.0.0/24")
    engine.network_labels["old_default"] = {}
    for position, name in enumerate(("web", "worker", "beat", "db", "redis")):
        kind = {"db": "postgres:15", "redis": "redis:7"}.get(name, "watch:v1")
        image = engine.add_image(f"registry.test/{kind}@sha256:{position:064x}")
        labels = {"com.docker.compose.project": "old", "com.docker.compose.service": name}
        made = engine.add_container(
            f"old-{name}-1",
            image,
            labels=labels,
            addresses={"old_default": f"172.28.0.{position + 10}"},
        )
        made.start(rehearsals.shop.world.outside.clock.now())
    rehearsals.databases.inside("old-db-1")["postgres"] = "customers"
    rehearsals.good("adopt", "old", "prod")
    return rehearsals


@pytest.mark.requirement("R8", "R35")
def test_an_adopted_project_is_rehearsed_shipped_over_and_returned_to(
    adopted: Rehearsals,
) -> None:
    before = adopted.running("old-")
    adopted.good("rehearse", "prod", "--tag", "v2", "--overlay", "mod.yaml", *MAP)
    copied = adopted.databases.inside("watch-prod-rehearsal-db-1")
    assert copied == {"postgres": "customers"}
    assert adopted.running("old-") == before
    answer = adopted.good("rollback", "prod", "--rehearse", "--json").json
    assert (answer["to"], answer["changed"]) == (0, [])
    adopted.good("rehearse", "ship", "prod")
    assert adopted.image("web", PROD).startswith("registry.test/modular@")
    state = {name: item for name, item in before.items() if name in ("old-db-1", "old-redis-1")}
    assert adopted.running("old-db", "old-redis") == state
    adopted.good("rollback", "prod")
    assert adopted.live(PROD).number == 0
    assert adopted.running("old-db", "old-redis") == state
    adopted.good("rehearse", "ship", "prod")
    adopted.good("rehearse", "finish", "prod")
