"""The way back is tried in the copy, and production does not notice."""

import pytest
from tests.unit.cli.rehearsals import BERTHFILE, COPY, MAP, PROD, Rehearsals

from berthmaster.testing.behaviour import NEVER_HEALTHY


@pytest.fixture
def rehearsed(rehearsals: Rehearsals) -> Rehearsals:
    """The modular layout runs beside production."""
    rehearsals.good("rehearse", "prod", "--tag", "v2", "--overlay", "mod.yaml", *MAP)
    return rehearsals


@pytest.mark.requirement("R8")
def test_the_way_back_is_done_in_the_copy_and_timed(rehearsed: Rehearsals) -> None:
    before = rehearsed.running("watch-prod-r", "watch-prod-db", "watch-prod-redis")
    answer = rehearsed.good("rollback", "prod", "--rehearse", "--json").json
    assert (answer["to"], answer["is_warm"], answer["changed"]) == (1, True, [])
    assert answer["untouched"] == 5
    assert 0 <= answer["switch_seconds"] <= answer["seconds"]
    assert rehearsed.running("watch-prod-r1", "watch-prod-db", "watch-prod-redis") == {
        name: item for name, item in before.items() if "rehearsal" not in name
    }
    assert rehearsed.live(COPY).number == 1
    assert rehearsed.image("web").startswith("registry.test/modular@")
    old = rehearsed.store.release(COPY, 2)
    assert {item.name: item.image.runs_as for item in old.services if item.name == "web"} == {
        "web": rehearsed.image("web", PROD)
    }
    assert rehearsed.store.stack(PROD).live == 1


def test_it_may_be_tried_twice_and_what_was_rehearsed_still_ships(rehearsed: Rehearsals) -> None:
    for _ in range(2):
        text = rehearsed.good("rollback", "prod", "--rehearse").out
        assert "back to r1 works" in text
        assert "none was touched" in text
    assert len(rehearsed.store.releases(COPY)) == 2
    rehearsed.good("rehearse", "ship", "prod")
    rehearsed.good("rollback", "prod", "--rehearse")
    rehearsed.good("rehearse", "finish", "prod")


def test_the_images_of_then_are_tried_whatever_their_tags_mean_now(rehearsed: Rehearsals) -> None:
    rehearsed.publish("registry.test/watch:v1", 77)
    rehearsed.good("rollback", "prod", "--rehearse")
    old = rehearsed.store.release(COPY, 2)
    images = {item.name: item.image.runs_as for item in old.services if item.image}
    assert images["web"] == rehearsed.image("web", PROD)


def test_old_code_that_cannot_live_with_the_new_schema_is_found(rehearsed: Rehearsals) -> None:
    rehearsed.shop.world.engine.script("registry.test/watch:v1", NEVER_HEALTHY)
    text = rehearsed.refused("rollback", "prod", "--rehearse", code=1)
    assert "watch@prod/rehearsal" in text
    assert rehearsed.live(COPY).number == 1


def test_an_incompatible_migration_says_what_is_needed(rehearsals: Rehearsals) -> None:
    changed = BERTHFILE.replace("command: [migrate]", "command: [migrate], compatible: false")
    rehearsals.write("berth.yaml", changed)
    rehearsals.good("rehearse", "prod", "--tag", "v2")
    text = rehearsals.refused("rollback", "prod", "--rehearse")
    assert "the migration migrate is declared incompatible" in text
    assert "--to r1 --restore-point NAME" in text


def test_a_run_that_was_stopped_half_way_goes_on(rehearsed: Rehearsals) -> None:
    rehearsed.good("rollback", "prod", "--rehearse")
    rehearsed.good("rollback", "prod/rehearsal", "--to", "r2")
    assert "was turned back" in rehearsed.refused("rehearse", "ship", "prod")
    rehearsed.good("rollback", "prod", "--rehearse")
    assert rehearsed.live(COPY).number == 1
    rehearsed.good("rehearse", "ship", "prod")


def test_there_must_be_a_rehearsal_and_no_other_wish(rehearsals: Rehearsals) -> None:
    assert "has no rehearsal" in rehearsals.refused("rollback", "prod", "--rehearse")
    assert "stands alone" in rehearsals.refused("rollback", "prod", "--rehearse", "--to", "r1")
