"""An override of a check: shown with its reason, obeyed by a deploy, recorded with it."""

from pathlib import Path

import pytest
from tests.unit.services.checks.scene import STACK, Scene, good_scene

from berthmaster.domain import checks
from berthmaster.domain.check import Severity
from berthmaster.domain.errors import InvalidSpec, NotAllowed
from berthmaster.ports.progress import Silence
from berthmaster.services.deploy import Unchanged, deploy
from berthmaster.services.render_model import ReleaseRequest

OPEN = {"CORS_ALLOWED_ORIGINS": "*"}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = good_scene(tmp_path)
    scene.set(**OPEN)
    return scene


def allow(scene: Scene, *lines: str) -> None:
    text = (scene.folder / "berth.yaml").read_text()
    rows = "".join(f"        - {line}\n" for line in lines)
    scene.write("berth.yaml", f"{text}    policy:\n      allow:\n{rows}")
    scene.commit()


async def test_an_override_is_shown_with_its_reason_and_stops_nothing(scene: Scene) -> None:
    allow(scene, "{check: cors, why: a public API without cookies}")
    (answer,) = await scene.of("cors")
    assert answer.severity is Severity.OVERRIDDEN
    assert answer.why == "a public API without cookies"
    assert (await scene.report()).exit_code == 0


async def test_an_override_of_one_check_lets_no_other_pass(scene: Scene) -> None:
    allow(scene, "{check: debug, why: for a day}")
    (answer,) = await scene.of("cors")
    assert answer.severity is Severity.CHANGE


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{check: debgu, why: for a day}", "there is no check `debgu`, did you mean `debug`?"),
        ("{check: zzzzzz, why: for a day}", "there is no check `zzzzzz`: see `berth check`"),
        ("{check: lease, why: for a day}", "`lease` cannot be overridden: two changes at once"),
        ("{check: policy, why: for a day}", "rule by rule: {service: NAME, rule: RULE"),
        ("{check: policy.build, why: for a day}", "cannot be overridden"),
        ("{service: web, why: for a day}", "write `service` and `rule`, or `check`, and `why`"),
        ("{check: debug, service: web, why: for a day}", "`check` stands alone"),
        ("{check: debug}", "`environments.prod.policy.allow.0.why`"),
    ],
)
def test_a_wrong_override_is_refused_where_it_stands(scene: Scene, line: str, said: str) -> None:
    allow(scene, line)
    with pytest.raises(InvalidSpec) as refused:
        scene.outside.specs.read(scene.folder)
    assert "berth.yaml:11" in refused.value.message
    assert said.replace(".0.", "[0].") in refused.value.message.replace(".0.", "[0].")


async def test_a_deploy_is_refused_before_anything_changes(scene: Scene) -> None:
    scene.set(DEBUG="1")
    before = scene.world.engine.snapshot()
    with pytest.raises(NotAllowed) as refused:
        await _deploy(scene)
    assert "web: CORS_ALLOWED_ORIGINS allows every origin [cors]" in refused.value.message
    assert "web: DEBUG is on [debug]" in refused.value.message
    assert refused.value.next_command == "berth check shop@prod"
    assert scene.world.engine.snapshot() == before
    assert scene.outside.store.deployments(STACK) == ()


async def test_production_refuses_a_deploy_from_a_dirty_tree(scene: Scene) -> None:
    scene.web["environment"].pop("CORS_ALLOWED_ORIGINS")
    scene.write("compose.yaml", (scene.folder / "compose.yaml").read_text() + "# later\n")
    with pytest.raises(NotAllowed) as refused:
        await _deploy(scene)
    assert "changed since the last commit: compose.yaml [tracked]" in refused.value.message


async def test_a_deploy_that_an_override_lets_through_keeps_its_reason(scene: Scene) -> None:
    allow(scene, "{check: cors, why: a public API without cookies}")
    await _deploy(scene)
    (deployment,) = scene.outside.store.deployments(STACK)
    (line,) = deployment.plan.overrides
    assert line.startswith("cors: web: CORS_ALLOWED_ORIGINS allows every origin")
    assert line.endswith("a public API without cookies")


async def test_an_allowed_rule_is_recorded_in_the_same_place(scene: Scene) -> None:
    scene.web["environment"].pop("CORS_ALLOWED_ORIGINS")
    scene.web["pid"] = "host"
    allow(scene, "{service: web, rule: host_pid, why: reads the process list}")
    await _deploy(scene)
    (deployment,) = scene.outside.store.deployments(STACK)
    assert deployment.plan.overrides == ("policy.host_pid: web: pid: host: reads the process list",)


def test_every_locked_check_says_why() -> None:
    locked = [kind for kind in checks.CATALOGUE if kind.locked_because]
    assert {"files", "policy", "role", "lease", "gateway"} <= {kind.id for kind in locked}
    assert all(len(kind.locked_because) > 10 for kind in locked)


async def _deploy(scene: Scene) -> None:
    await scene.report()  # puts the model in place
    done = await deploy(scene.outside, ReleaseRequest(STACK, scene.folder), Silence())
    assert not isinstance(done, Unchanged)
