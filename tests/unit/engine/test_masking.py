"""What an app prints of its own secrets gets into no report, record or journal."""

from dataclasses import replace

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import empty_world

from berthmaster.domain.errors import DeploymentFailed
from berthmaster.domain.sealed import SealedValues
from berthmaster.domain.spec import SmokeSpec
from berthmaster.testing.behaviour import CRASH_LOOP, HEALTHY, Behaviour, exits
from berthmaster.testing.runtime import FakeRuntime

SECRETS = ("hunter2-of-the-database", "s3ss10n-k3y", "p4ss-in-a-url")
PRINTED = (
    f"cannot log in with {SECRETS[0]}",
    f"SECRET_KEY={SECRETS[1]} ALLOWED_HOSTS=shop.test",
    f"postgres://shop:{SECRETS[2]}@db/shop refused",
)


async def failing(container: str, behaviour: Behaviour, *smoke: SmokeSpec) -> str:
    """Release 2 is refused; everything that was written down about it."""
    world = empty_world()
    await world.deploy(release(1))
    value = world.record(release(2, smoke=smoke))
    values = {
        "web-1": {
            "SECRET_KEY": SECRETS[1],
            "ALLOWED_HOSTS": "shop.test",
            "CACHE": f"postgres://shop:{SECRETS[2]}@db/shop",
        }
    }
    sealed = SealedValues(values, {"secrets/db_password": SECRETS[0].encode() + b"\n"})
    store = world.outside.store
    store.rewrite_release(replace(value, sealed=world.outside.vault.seal(sealed.to_bytes())))
    world.engine.script(container, behaviour)
    assert isinstance(world.outside.runtime, FakeRuntime)
    world.outside.runtime.programs["look"] = lambda *_: (1, "\n".join(PRINTED).encode())
    with pytest.raises(DeploymentFailed) as refused:
        await world.deploy(release(2, smoke=smoke))
    (deployment,) = (item for item in store.deployments(SHOP) if item.release == 2)
    rows = [row.detail for row in store.journal(deployment.id)]
    events = [event.detail for event in store.events(SHOP)]
    return "\n".join([deployment.error, *rows, *events, refused.value.message])


@pytest.mark.parametrize(
    ("container", "behaviour"),
    [
        ("shop-prod-r2-job-migrate", exits(1, *PRINTED)),
        ("shop-prod-r2-web-1", replace(CRASH_LOOP, log=PRINTED)),
    ],
)
async def test_a_secret_that_the_app_printed_is_hidden(
    container: str, behaviour: Behaviour
) -> None:
    written = await failing(container, behaviour)
    assert [secret for secret in SECRETS if secret in written] == []
    assert "postgres://shop:***@db/shop refused" in written
    assert "shop.test" in written


async def test_one_that_a_smoke_command_printed_is_hidden() -> None:
    look = SmokeSpec("", command=("look",), service="web")
    written = await failing("shop-prod-r2-web-1", HEALTHY, look)
    assert [secret for secret in SECRETS if secret in written] == []
    assert "postgres://shop:***@db/shop refused" in written
