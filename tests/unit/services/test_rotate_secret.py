"""Rotation: what it refuses before it writes, and that a refused release leaves the old value."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.builders import release
from tests.unit.services.secretapp import COMPOSE, SecretApp, complete_app

from berthmaster.domain.errors import LeaseHeld, NotAllowed, OutsideError
from berthmaster.domain.names import StackId
from berthmaster.domain.sealed import SealedValues
from berthmaster.planner.logins import logins_of
from berthmaster.ports.progress import Silence
from berthmaster.services import rotate_secret as rotating
from berthmaster.services.rotate_secret import Rotation, rotate_secret

PROD = StackId("shop", "prod")
MOUNT = {
    "type": "bind",
    "source": "/state/stacks/shop-prod/r0/secrets/any/db_password",
    "target": "/run/secrets/db_password",
    "read_only": True,
}


def live_app(folder: Path) -> SecretApp:
    """The app with a release live that was made of these very files."""
    app = complete_app(folder)
    outside, value = app.outside, release(1)
    inputs = dict(outside.specs.artifact_inputs(outside.specs.read(folder)))
    db: dict[str, Any] = {
        **value.state_model["services"]["db"],
        "environment": {"POSTGRES_PASSWORD_FILE": None},
        "volumes": [MOUNT],
    }
    state = {**value.state_model, "services": {"db": db}}
    password = app.secret("db_password").read_bytes()
    sealed = SealedValues(
        {"db": {"POSTGRES_PASSWORD_FILE": "/run/secrets/db_password"}},
        {"secrets/any/db_password": password},
    )
    store = app.world.outside.store
    store.add_stack(PROD, str(folder))
    bytes_ = outside.vault.seal(sealed.to_bytes())
    store.add_release(replace(value, inputs=inputs, state_model=state, sealed=bytes_))
    lease = store.acquire_lease(str(PROD), holder="t", seconds=60)
    store.mark_live(PROD, 1, old=None, warm_until=None, fence=lease.fence)
    store.release_lease(lease)
    return app


async def rotate(app: SecretApp, name: str, **more: Any) -> rotating.Rotated:
    return await rotate_secret(app.outside, Rotation(PROD, app.folder, name, **more), Silence())


def test_a_record_tells_the_password_of_its_database(tmp_path: Path) -> None:
    app = live_app(tmp_path)
    live = app.world.outside.store.release(PROD, 1)
    assert live
    sealed = SealedValues.from_bytes(app.vault.open(live.sealed))

    assert logins_of(live, sealed) == {"db": app.values()["db_password"]}


@pytest.mark.parametrize("error", [OutsideError("no", subject="x"), None])
async def test_a_refused_release_leaves_the_old_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    app = live_app(tmp_path)
    before = app.values()
    seen = []

    async def refuse(*_: Any, **__: Any) -> None:
        seen.append(app.values()["db_password"])
        raise error or LeaseHeld("held", holder="bob", age_seconds=1, step=None)

    monkeypatch.setattr(rotating, "deploy", refuse)
    with pytest.raises((OutsideError, LeaseHeld)):
        await rotate(app, "db_password")

    assert seen != [before["db_password"]]
    assert app.values() == before


async def test_files_that_changed_since_are_not_brought_in(tmp_path: Path) -> None:
    app = live_app(tmp_path)
    before = app.values()
    app.write("compose.yaml", COMPOSE + "# more\n", 0o644)
    with pytest.raises(NotAllowed, match="Rotating a secret brings in nothing else") as refused:
        await rotate(app, "db_password")

    assert app.values() == before
    assert str(refused.value.next_command).startswith("berth deploy shop@prod --tag v1")


async def test_a_state_service_that_keeps_the_value_itself_is_refused_with_the_way(
    tmp_path: Path,
) -> None:
    app = live_app(tmp_path)
    before = app.values()
    with pytest.raises(NotAllowed, match="db is a state service and reads db_cert") as refused:
        await rotate(app, "db_key")

    assert app.values() == before
    assert "berth deploy shop@prod --state db" in str(refused.value.next_command)
    done = await rotate(app, "db_key", is_only_written=True)
    assert (done.names, done.outcome) == (("db_cert", "db_key"), None)
    assert app.values()["db_cert"] != before["db_cert"]
