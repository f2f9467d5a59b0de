from pathlib import Path

import pytest

from berthmaster.adapters.compose import ComposeCli, process
from berthmaster.domain.errors import ComposeFailed, InvalidSpec, NotAllowed, OutsideError
from berthmaster.ports.compose import ComposeInputs
from berthmaster.testing.runtime import FakeRuntime

MODEL = {"services": {"web": {"image": "shop:1", "environment": {"KEY": "planted-s3cret"}}}}


class Recorded:
    """Stands for the binary: notes each start and answers by the Compose verb."""

    def __init__(self) -> None:
        self.tasks: list[process.Task] = []
        self.answers: dict[str, process.Ended] = {}
        self.file: str = ""

    async def run(self, task: process.Task) -> process.Ended:
        self.tasks.append(task)
        if "up" in task.arguments:
            self.file = _file_of(task)
        known = (verb for verb in self.answers if verb in task.arguments)
        return self.answers.get(next(known, ""), process.Ended(0, b"2.26.1\n", ""))


def _file_of(task: process.Task) -> str:
    return Path(task.arguments[task.arguments.index("--file") + 1]).read_text()


@pytest.fixture
def binary(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(process, "run", recorded.run)
    return recorded


async def test_up_can_only_add(binary: Recorded) -> None:
    await ComposeCli(FakeRuntime()).up("shop-prod-r7", MODEL, ["web"])
    (task,) = binary.tasks
    flags = set(task.arguments[task.arguments.index("up") :])
    assert {"--no-recreate", "--no-deps", "--no-build", "never"} <= flags
    assert not flags & {"--yes", "-y", "--wait", "--remove-orphans", "--force-recreate", "--build"}
    assert "planted-s3cret" in binary.file
    assert "planted-s3cret" not in " ".join(task.arguments)


async def test_what_compose_says_is_shown_without_secrets(binary: Recorded) -> None:
    binary.answers["up"] = process.Ended(1, b"", "no space left")
    with pytest.raises(ComposeFailed, match="no space left") as raised:
        await ComposeCli(FakeRuntime()).up("shop-prod-r7", MODEL, ["web"])
    assert raised.value.subject == "shop-prod-r7"
    assert binary.tasks[0].mask.apply("planted-s3cret") == "***"


async def test_leftovers_of_a_killed_compose_are_removed_first(binary: Recorded) -> None:
    runtime = FakeRuntime()
    image = runtime.world.add_image("shop:1")
    project = {"com.docker.compose.project": "shop-prod"}
    ours = {**project, "berthmaster.stack": "shop@prod"}
    runtime.world.add_container("0123456789ab_shop-prod-db-1", image, labels=ours)
    runtime.world.add_container("0123456789ac_shop-prod-db-1", image, labels=project)
    runtime.world.add_container("shop-prod-db-1", image, labels=ours)
    await ComposeCli(runtime).up("shop-prod", MODEL, ["web"])
    assert set(runtime.world.containers) == {"0123456789ac_shop-prod-db-1", "shop-prod-db-1"}


@pytest.mark.parametrize("text", ["2.24.0", "v2.26.1-4", "5.5.0", "2.30.3-desktop.1"])
async def test_versions_from_2_24_on_are_supported(binary: Recorded, text: str) -> None:
    binary.answers["version"] = process.Ended(0, f"{text}\n".encode(), "")
    assert await ComposeCli(FakeRuntime()).version() == text


@pytest.mark.parametrize("text", ["2.23.3", "v2.5.0", "1.29.2"])
async def test_older_versions_are_refused(binary: Recorded, text: str) -> None:
    binary.answers["version"] = process.Ended(0, f"{text}\n".encode(), "")
    with pytest.raises(OutsideError, match=r"2\.24 or newer"):
        await ComposeCli(FakeRuntime()).version()


@pytest.mark.requirement("R347")
async def test_nothing_but_the_inputs_is_read(binary: Recorded, tmp_path: Path) -> None:
    binary.answers["config"] = process.Ended(0, b'{"services": {}}', "")
    inputs = ComposeInputs(tmp_path, ("a.yaml", "b.yaml"), profiles=("extra",))
    await ComposeCli(FakeRuntime()).config("shop-prod", inputs)
    arguments = binary.tasks[0].arguments
    assert arguments[arguments.index("--env-file") + 1] == "/dev/null"
    files = [str(tmp_path / name) for name in inputs.files]
    assert [item for item in arguments if item.endswith(".yaml")] == files
    assert arguments[arguments.index("--profile") + 1] == "extra"


@pytest.mark.requirement("R336")
async def test_an_unset_variable_is_an_error_with_its_place(
    binary: Recorded, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text("services:\n  web:\n    image: shop:${TAG}\n")
    warning = 'level=warning msg="The \\"TAG\\" variable is not set. Defaulting to a blank"'
    binary.answers["config"] = process.Ended(0, b"{}", warning)
    with pytest.raises(InvalidSpec, match="TAG is not set") as raised:
        await ComposeCli(FakeRuntime()).config("shop-prod", ComposeInputs(tmp_path, ("a.yaml",)))
    assert raised.value.location == f"{tmp_path / 'a.yaml'}:3"


@pytest.mark.parametrize("name", ["COMPOSE_FILE", "DOCKER_HOST", "LD_PRELOAD", "PATH"])
async def test_a_variable_may_not_steer_compose(
    binary: Recorded, tmp_path: Path, name: str
) -> None:
    inputs = ComposeInputs(tmp_path, ("a.yaml",), variables={name: "x"})
    with pytest.raises(NotAllowed, match=name):
        await ComposeCli(FakeRuntime()).config("shop-prod", inputs)
    assert binary.tasks == []
