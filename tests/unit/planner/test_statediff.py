"""What is told about a state service that the files define differently than it runs."""

from typing import Any

from tests.builders import image

from berthmaster.planner.statediff import StateDefinition, differences, lost_data

DATA = {"type": "volume", "source": "data", "target": "/var/lib/postgresql/data"}
CONFIG = {"type": "bind", "target": "/etc/db.conf", "read_only": True}


def definition(*, number: int = 1, folder: str = "/s/r0", **more: Any) -> StateDefinition:
    config = {**CONFIG, "source": f"{folder}/configs/db.conf"}
    model = {"command": ["postgres"], "volumes": [DATA, config], **more.pop("model", {})}
    values: dict[str, Any] = {"environment": {"POSTGRES_PASSWORD": "h1"}, "files": {}}
    return StateDefinition(image("db", number), model, **{**values, **more}, folders=(folder,))


def test_the_same_definition_has_no_differences_wherever_its_files_lie() -> None:
    assert differences(definition(), definition(folder="/s/r8")) == ()


def test_image_command_environment_and_files_are_named_without_values() -> None:
    changed = definition(
        number=2,
        model={"command": ["postgres", "-c", "max_connections=50"]},
        environment={"POSTGRES_PASSWORD": "h2"},
        files={"configs/db.conf": "other"},
    )
    assert differences(definition(), changed) == (
        "image registry.test/db:v1 -> registry.test/db:v2",
        "command",
        "environment POSTGRES_PASSWORD",
        "file configs/db.conf",
    )


def test_data_that_would_not_be_mounted_any_more_is_lost() -> None:
    moved = definition(model={"volumes": [{**DATA, "source": "data16"}]})
    assert lost_data(definition(), definition(), ()) == ""
    assert "data is no longer mounted" in lost_data(definition(), moved, ())


def test_data_in_an_anonymous_volume_is_lost_with_its_container() -> None:
    bare = definition(model={"volumes": []})
    assert "goes with its container" in lost_data(bare, bare, ("/data",))
    assert lost_data(definition(), definition(), ("/var/lib/postgresql/data",)) == ""
