"""What stage proved is what prod runs, and nothing else gets there."""

from dataclasses import replace

import pytest
from tests.unit.cli.stages import BERTHFILE, COMPOSE, Stages

from berthmaster.domain.judgement import JudgementKind
from berthmaster.domain.names import StackId
from berthmaster.testing.behaviour import HEALTHY

PROD = StackId("cart", "prod")


@pytest.fixture
def proved(stages: Stages) -> Stages:
    """Stage runs v1 and verified it."""
    stages.good("deploy", "stage", "--tag", "v1")
    return stages


def artifact_of(stages: Stages, environment: str) -> str:
    found = stages.good("releases", environment, "--json").json["releases"]
    return str(found[0]["artifact"])


@pytest.mark.requirement("R351")
def test_the_artifact_that_stage_verified_runs_in_prod(proved: Stages) -> None:
    answer = proved.good("promote", "stage", "prod", "--json").json
    assert (answer["stack"], answer["verb"]) == ("cart@prod", "promote")
    assert artifact_of(proved, "prod") == artifact_of(proved, "stage")
    assert proved.runs("prod") == "0001"


def test_a_deploy_of_the_same_files_and_tag_has_the_same_artifact(proved: Stages) -> None:
    proved.good("deploy", "prod", "--tag", "v1")
    assert artifact_of(proved, "prod") == artifact_of(proved, "stage")


def test_promoting_twice_has_nothing_to_do(proved: Stages) -> None:
    proved.good("promote", "stage", "prod")
    assert "nothing changed since r1" in proved.good("promote", "stage", "prod", "--plan").out
    assert "nothing changed since r1" in proved.good("promote", "stage", "prod").out


def test_a_plan_of_a_promotion_changes_nothing(proved: Stages) -> None:
    text = proved.good("promote", "stage", "prod", "--plan").out
    assert "from cart@stage r1" in text
    assert proved.shop.world.outside.store.stack(PROD) is None


@pytest.mark.requirement("R377")
def test_a_tag_that_was_pushed_again_is_named_and_does_not_get_in(proved: Stages) -> None:
    proved.publish("v1", 7)
    answer = proved.good("promote", "stage", "prod")
    assert "registry.test/cart:v1 was pushed again" in answer.err
    assert proved.runs("prod") == "0001"
    (deployment, *_) = proved.shop.world.outside.store.deployments(PROD)
    assert "was pushed again" in " ".join(deployment.plan.notes)


def test_a_plan_tells_what_would_refuse_the_deploy(proved: Stages) -> None:
    proved.good("hold", "stage", "--why", "an audit")
    proved.good("reject", "stage", "r1", "--why", "leaks memory")
    text = " ".join(proved.good("plan", "stage", "--tag", "v1").out.split())
    assert "would be refused now: cart@stage is held by ann@test" in text
    assert "was rejected by ann@test" in text


def test_a_promotion_needs_no_registry(proved: Stages) -> None:
    proved.shop.world.engine.fail_next("registry.digest")
    proved.good("promote", "stage", "prod")
    assert proved.runs("prod") == "0001"


def test_a_tag_pushed_again_and_proved_in_stage_is_a_change_for_prod(proved: Stages) -> None:
    proved.good("promote", "stage", "prod")
    proved.publish("v1", 7)
    proved.good("deploy", "stage", "--tag", "v1", "--force")
    proved.good("promote", "stage", "prod")
    assert proved.runs("prod") == "0007"


def test_what_stage_does_not_run_cannot_be_promoted(stages: Stages) -> None:
    assert "cart@stage runs no release" in stages.refused("promote", "stage", "prod")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("compose.yaml", COMPOSE + "    user: '1000'\n"),
        ("compose.stage.yaml", "services: {web: {}}\n"),
        ("berth.yaml", BERTHFILE + "retention: {warm: 1m}\n"),
    ],
)
def test_files_that_changed_since_are_named(proved: Stages, name: str, text: str) -> None:
    proved.write(name, text)
    told = proved.refused("promote", "stage", "prod")
    assert f"{name} changed" in told
    assert "berth deploy cart@stage --tag v1" in told
    assert proved.shop.world.outside.store.live_releases()[1:] == ()


def test_a_secret_of_prod_may_change_after_stage_was_verified(proved: Stages) -> None:
    proved.write("secrets/api_key", "rotated-today")
    proved.write(".env.prod", "COLOUR=blue\n")
    proved.good("promote", "stage", "prod")


def test_an_image_that_stage_did_not_run_is_refused(proved: Stages) -> None:
    compose = proved.shop.world.outside.compose
    web = compose.models[("compose.yaml",)]["services"]["web"]  # type: ignore[attr-defined]
    web["image"] = "registry.test/other:v1"
    told = proved.refused("promote", "stage", "prod")
    assert "runs registry.test/other:v1 for web" in told
    assert "verified registry.test/cart:v1" in told


def test_an_image_named_by_hand_is_promoted_too(stages: Stages) -> None:
    stages.good("deploy", "stage", "--tag", "v1", "--image", "web=registry.test/cart:v2")
    stages.good("promote", "stage", "prod")
    assert stages.runs("prod") == "0002"


def test_an_older_artifact_that_was_live_in_stage_can_be_named(proved: Stages) -> None:
    proved.render(tag="v2")
    proved.good("deploy", "stage", "--tag", "v2")
    proved.render(tag="v1")
    proved.good("promote", "stage", "prod", "r1")
    assert proved.runs("prod") == "0001"


def test_a_condition_that_fails_again_takes_the_verification_back(proved: Stages) -> None:
    engine = proved.shop.world.engine
    engine.script("cart-stage-r1-web-1", replace(HEALTHY, status=500))
    answer = proved.berth("verify", "stage")
    assert (answer.code, "is not verified" in answer.out) == (1, True)
    told = proved.refused("promote", "stage", "prod")
    assert "verified artifact" in told
    assert "no longer: failed: /ready at its own address" in told
    engine.script("cart-stage-r1-web-1", HEALTHY)
    proved.good("verify", "stage")
    proved.good("promote", "stage", "prod")


def test_verify_as_json_lists_every_condition(proved: Stages) -> None:
    found = proved.good("verify", "stage", "--json").json
    assert found["is_verified"] is True
    assert [(item["condition"], item["asked"]) for item in found["conditions"]] == [
        ("/ready", "at its own address"),
        ("/ready", "through the gateway"),
    ]


def test_a_verification_is_recorded_with_actor_and_deployment(proved: Stages) -> None:
    (said,) = proved.shop.world.outside.store.judgements("cart")
    assert (said.kind, said.actor, said.deployment) == (JudgementKind.VERIFIED, "ann@test", 1)
    assert said.why == "1 smoke condition held"


def test_nothing_is_verified_by_a_deploy_that_failed(stages: Stages) -> None:
    stages.shop.world.engine.script("registry.test/cart:v1", replace(HEALTHY, status=500))
    assert stages.berth("deploy", "stage", "--tag", "v1").code == 1
    assert stages.shop.world.outside.store.judgements("cart") == ()


def test_prod_may_want_that_stage_verified_it_of_a_deploy_too(stages: Stages) -> None:
    text = BERTHFILE.replace("secrets: secrets}", "secrets: secrets, verified_in: stage}")
    stages.write("berth.yaml", text)
    told = stages.refused("deploy", "prod", "--tag", "v1")
    assert "takes what cart@stage verified" in told
    stages.good("deploy", "stage", "--tag", "v1")
    stages.good("deploy", "prod", "--tag", "v1")


def test_a_rejected_artifact_gets_nowhere(proved: Stages) -> None:
    proved.good("promote", "stage", "prod")
    proved.render(tag="v2")
    proved.good("deploy", "prod", "--tag", "v2")
    proved.good("reject", "stage", "r1", "--why", "leaks memory", by="bob@test")
    for words in (["promote", "stage", "prod", "r1"], ["rollback", "prod", "--to", "r1"]):
        told = proved.refused(*words)
        assert "was rejected by bob@test" in told
        assert "leaks memory" in told
    proved.render(tag="v1")
    assert "was rejected" in proved.refused("deploy", "prod", "--tag", "v1")
    assert proved.runs("prod") == "0002"


def test_a_rollback_without_a_number_leaves_rejected_releases_out(proved: Stages) -> None:
    proved.good("promote", "stage", "prod")
    proved.render(tag="v2")
    proved.good("deploy", "prod", "--tag", "v2")
    proved.good("reject", "prod", "r1", "--why", "leaks memory")
    assert "is not rejected" in proved.refused("rollback", "prod")


def test_a_rejection_can_be_taken_back(proved: Stages) -> None:
    digits = artifact_of(proved, "stage")[:12]
    proved.good("reject", digits, "--why", "leaks memory")
    assert "rejected: leaks memory" in proved.good("releases", "stage").out
    proved.good("reject", "--undo", digits, "--why", "it was the test")
    proved.good("promote", "stage", "prod")


def test_a_held_stack_is_moved_only_with_a_reason(proved: Stages) -> None:
    proved.good("promote", "stage", "prod")
    proved.good("hold", "prod", "--why", "audit", by="bob@test")
    proved.render(tag="v2")
    told = proved.refused("deploy", "prod", "--tag", "v2")
    assert "is held by bob@test" in told
    assert "berth unhold cart@prod" in told
    proved.good("deploy", "prod", "--tag", "v2", "--despite", "security fix")
    events = proved.shop.world.outside.store.events(PROD)
    assert "security fix" in next(item.detail for item in events if item.what == "hold_overridden")


def test_a_held_stack_can_be_rolled_back_and_says_so(proved: Stages) -> None:
    proved.good("promote", "stage", "prod")
    proved.render(tag="v2")
    proved.good("deploy", "prod", "--tag", "v2")
    proved.good("hold", "prod", "--why", "audit")
    assert "a rollback is allowed" in proved.good("rollback", "prod", "--plan").out
    proved.good("rollback", "prod")


def test_unhold_lets_everybody_in_again(proved: Stages) -> None:
    proved.good("hold", "stage", "--why", "audit")
    assert "held: audit" in proved.good("status").out
    proved.good("unhold", "stage")
    assert "is not held" in proved.refused("unhold", "stage")
    proved.good("deploy", "stage", "--tag", "v1", "--force")


def test_a_freeze_stops_deploys_and_names_file_and_line(proved: Stages) -> None:
    proved.write(".deploy-freeze", "# nobody\nprod always the shop is closed\n")
    told = proved.refused("promote", "stage", "prod")
    assert "is frozen (.deploy-freeze:2): the shop is closed" in told
    proved.good("deploy", "stage", "--tag", "v1", "--force")
    proved.good("promote", "stage", "prod", "--despite", "the shop burns")


def test_a_freeze_that_cannot_be_understood_stops_everything(proved: Stages) -> None:
    proved.write(".deploy-freeze", "prod christmas\n")
    assert ".deploy-freeze:1: write ENVIRONMENTS" in proved.refused("promote", "stage", "prod")


def test_a_second_person_must_approve_where_that_is_wanted(stages: Stages) -> None:
    text = BERTHFILE.replace("secrets: secrets}", "secrets: secrets, approval: true}")
    stages.write("berth.yaml", text)
    stages.good("deploy", "stage", "--tag", "v1")
    digits = artifact_of(stages, "stage")
    assert f"berth approve cart@prod {digits}" in stages.refused("promote", "stage", "prod")
    stages.good("approve", "prod", "d1")
    assert "your own does not count" in stages.refused("promote", "stage", "prod")
    stages.good("approve", "prod", digits[:12], by="bob@test")
    stages.good("promote", "stage", "prod")
    assert "approved by ann@test, bob@test" in stages.good("releases", "prod").out


def test_an_approval_is_of_one_artifact(stages: Stages) -> None:
    text = BERTHFILE.replace("secrets: secrets}", "secrets: secrets, approval: true}")
    stages.write("berth.yaml", text)
    stages.good("deploy", "stage", "--tag", "v1")
    stages.good("approve", "prod", "d1", by="bob@test")
    stages.render(tag="v2")
    stages.good("deploy", "stage", "--tag", "v2")
    assert "wants somebody else's approval" in stages.refused("promote", "stage", "prod")


@pytest.mark.parametrize("text", ["abc", "z" * 64, "d99", "r9"])
def test_an_artifact_that_is_not_there_is_refused(proved: Stages, text: str) -> None:
    proved.refused("reject", "stage", text, "--why", "a test")


def test_of_two_who_promote_at_once_one_gets_4(proved: Stages) -> None:
    store = proved.shop.world.outside.store
    lease = store.acquire_lease(str(PROD), holder="bob@test 1 berth promote", seconds=60)
    answer = proved.berth("promote", "stage", "prod")
    assert answer.code == 4
    assert "bob@test" in answer.err
    store.release_lease(lease)
    proved.good("promote", "stage", "prod")


def test_a_promotion_to_itself_is_refused(proved: Stages) -> None:
    assert "to itself" in proved.refused("promote", "stage", "stage")


def test_no_planted_secret_is_told(proved: Stages) -> None:
    told = [proved.good("promote", "stage", "prod", "--json"), proved.good("releases", "prod")]
    assert "planted-secret-value" not in "".join(item.out + item.err for item in told)


@pytest.mark.requirement("R331")
def test_a_build_that_stage_would_use_is_refused_with_file_and_line(stages: Stages) -> None:
    stages.write("compose.stage.yaml", "services:\n  web:\n    build: .\n")
    compose = stages.shop.world.outside.compose
    web = compose.models[("compose.yaml", "compose.stage.yaml")]["services"]["web"]  # type: ignore[attr-defined]
    web |= {"image": None, "build": {"context": "."}}
    told = stages.refused("deploy", "stage", "--tag", "v1")
    assert "web: has a `build` and no `image` (compose.stage.yaml:3) [build]" in told
    assert "build and push it, and name it as `image`" in told


def test_a_build_beside_an_image_is_never_used(stages: Stages) -> None:
    stages.render(build={"context": "."})
    stages.good("deploy", "stage", "--tag", "v1")


@pytest.mark.parametrize("why", ["", "  ", "a\nb", "a\x1b[31mb", "x" * 501])
def test_a_reason_is_one_line_that_says_something(proved: Stages, why: str) -> None:
    assert "wants a reason in one line" in proved.refused("hold", "stage", "--why", why)
    told = proved.refused("deploy", "stage", "--tag", "v1", "--despite", why)
    assert "--despite wants a reason" in told
