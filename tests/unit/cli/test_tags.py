"""What a person knows a release by: the tag it was built with."""

import pytest
from tests.unit.cli.stages import Stages

from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.names import StackId

STAGE = StackId("cart", "stage")


@pytest.fixture
def moved(stages: Stages) -> Stages:
    """Stage went from v1 to v2."""
    stages.good("deploy", "stage", "--tag", "v1")
    stages.render(image="registry.test/cart:v2")
    stages.good("deploy", "stage", "--tag", "v2")
    return stages


@pytest.mark.requirement("R372")
def test_a_rollback_by_tag_runs_the_release_of_that_tag(moved: Stages) -> None:
    assert moved.runs("stage") == "0002"
    moved.good("rollback", "stage", "--tag", "v1")
    assert moved.runs("stage") == "0001"


def test_the_beginning_of_a_commit_is_enough_and_is_what_is_shown(stages: Stages) -> None:
    first, second, other = "0123456" + "a" * 33, "0123456" + "b" * 33, "c" * 40
    for number, tag in enumerate((first, second, other), 1):
        stages.publish(tag, number)
        stages.render(image=f"registry.test/cart:{tag}")
        stages.good("deploy", "stage", "--tag", tag)
    shown = stages.good("releases", "stage").out
    assert first[:12] in shown
    assert first not in shown
    assert "2 tags that begin with 0123456" in stages.refused(
        "rollback", "stage", "--tag", "0123456"
    )
    assert "no release of tag 01234" in stages.refused("rollback", "stage", "--tag", "01234")
    stages.good("rollback", "stage", "--tag", first[:12])
    assert stages.runs("stage") == "0001"


def test_a_plan_by_tag_changes_nothing(moved: Stages) -> None:
    assert "r2 -> r1" in moved.good("rollback", "stage", "--tag", "v1", "--plan").out
    assert moved.runs("stage") == "0002"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--tag", "v2"), "r2 is live already"),
        (("--tag", "v9"), "no release of tag v9"),
        (("--tag", "v1", "--to", "r1"), "both name the release"),
        (("--tag", "not a tag"), "tag"),
    ],
)
def test_a_tag_that_leads_nowhere_is_refused(
    moved: Stages, words: tuple[str, ...], complaint: str
) -> None:
    assert complaint in moved.refused("rollback", "stage", *words)
    assert moved.runs("stage") == "0002"


def test_a_refused_deploy_uses_no_number_up(stages: Stages) -> None:
    stages.render(privileged=True)
    for _ in range(2):
        stages.refused("deploy", "stage", "--tag", "v1")
    stages.render()
    stages.good("deploy", "stage", "--tag", "v1")
    assert [item.number for item in stages.shop.world.outside.store.releases(STAGE)] == [1]


@pytest.mark.parametrize(
    "said",
    ["required variable IMAGE_TAG is missing a value: the commit", "variable IMAGE_TAG is not set"],
)
@pytest.mark.parametrize("command", ["plan", "deploy"])
def test_without_a_tag_it_asks_for_one(stages: Stages, command: str, said: str) -> None:
    stages.shop.world.engine.fail_next("compose.config", InvalidSpec(said, location="c.yaml:3"))
    answer = stages.refused(command, "stage")
    assert "c.yaml:3: the images of cart@stage want a tag: IMAGE_TAG has no value" in answer
    assert f"berth {command} cart@stage --tag TAG" in answer


def test_another_variable_without_a_value_is_told_as_it_is(stages: Stages) -> None:
    said = "required variable MY_IMAGE_TAGS is missing a value"
    stages.shop.world.engine.fail_next("compose.config", InvalidSpec(said))
    assert said in stages.refused("plan", "stage")
