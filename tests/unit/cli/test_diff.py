"""`berth diff` between environments and between releases."""

from typing import cast

import pytest
from tests.unit.cli.stages import BERTHFILE, Stages, model

from berthmaster.testing.compose import FakeCompose

INTENDED = "stage: {intended: [{what: services.web.mem_limit, why: small server}], compose:"


def make_stage_smaller(stages: Stages) -> None:
    compose = cast(FakeCompose, stages.shop.world.outside.compose)
    compose.models[("compose.yaml", "compose.stage.yaml")] = model(mem_limit="256m")
    compose.models[("compose.yaml",)] = model(mem_limit="1g")


def test_environments_that_are_alike_end_with_0(stages: Stages) -> None:
    assert "stage and prod are alike" in stages.good("diff", "stage", "prod").out


def test_a_difference_that_is_not_meant_ends_with_2(stages: Stages) -> None:
    make_stage_smaller(stages)
    answer = stages.berth("diff", "stage", "prod")
    assert answer.code == 2
    assert "services.web.mem_limit" in answer.out
    assert "256m" in answer.out
    assert "environments.stage.intended" in answer.err


def test_a_difference_that_is_meant_is_shown_with_its_reason(stages: Stages) -> None:
    make_stage_smaller(stages)
    stages.write("berth.yaml", BERTHFILE.replace("stage: {compose:", INTENDED))
    assert "small server" in stages.good("diff", "stage", "prod").out
    found = stages.good("diff", "stage", "prod", "--json").json
    assert found["is_alike"] is True
    assert found["differences"][0]["intended"] == "small server"


def test_an_intended_difference_that_is_gone_is_told(stages: Stages) -> None:
    stages.write("berth.yaml", BERTHFILE.replace("stage: {compose:", INTENDED))
    answer = stages.good("diff", "stage", "prod")
    assert "listed as intended, and no difference: services.web.mem_limit" in answer.err


def test_two_releases_are_compared_without_a_value(stages: Stages) -> None:
    stages.good("deploy", "stage", "--tag", "v1")
    web = {"SECRET_KEY": "another-planted-value", "DEBUG": "0"}
    stages.render(tag="v2", environment=web)
    stages.good("deploy", "stage", "--tag", "v2")
    answer = stages.good("diff", "stage", "r1", "r2")
    assert "tag       v1 -> v2" in answer.out
    assert "SECRET_KEY changed" in answer.out
    assert "DEBUG is new" in answer.out
    assert "planted" not in answer.out
    found = stages.good("diff", "stage", "r1", "r2", "--json").json
    assert {item["section"] for item in found["changes"]} >= {"release", "images", "config"}


def test_the_same_release_twice_has_no_change(stages: Stages) -> None:
    stages.good("deploy", "stage", "--tag", "v1")
    assert "nothing changed" in stages.good("diff", "r1", "r1").out


@pytest.mark.parametrize("words", [[], ["stage"], ["r1"], ["stage", "r1"], ["a", "b", "c"]])
def test_what_cannot_be_compared_is_refused(stages: Stages, words: list[str]) -> None:
    stages.refused("diff", *words)


def test_a_release_that_is_not_there_is_refused(stages: Stages) -> None:
    stages.good("deploy", "stage", "--tag", "v1")
    assert "has no release r9" in stages.refused("diff", "stage", "r1", "r9")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("mirrors: stage", "berth.yaml:6: stage cannot name itself here"),
        ("verified_in: prd", "there is no environment prd"),
    ],
)
def test_a_neighbour_that_is_not_there_is_named_with_its_line(
    stages: Stages, entry: str, words: str
) -> None:
    stages.write("berth.yaml", BERTHFILE.replace("stage: {compose:", f"stage: {{{entry}, compose:"))
    assert words in stages.refused("plan", "stage")
