"""Values with defaults, so that a test says only what it is about."""

from dataclasses import replace
from typing import Any

from berthmaster.domain.container import LABEL_JOB, LABEL_RELEASE, LABEL_STACK
from berthmaster.domain.names import StackId
from berthmaster.domain.release import (
    ImagePin,
    Release,
    ReleaseRoute,
    ReleaseService,
    Upstream,
    network_in,
)
from berthmaster.domain.routing import HostClaim
from berthmaster.domain.spec import JobSpec, Role
from berthmaster.planner.observed import Observed

SHOP = StackId("shop", "prod")


def image(name: str = "shop", number: int = 1) -> ImagePin:
    digest = f"{number:064x}"
    return ImagePin(f"registry.test/{name}:v{number}", f"registry.test/{name}@sha256:{digest}")


def service(
    name: str, role: Role, number: int = 7, replicas: int = 1, **more: Any
) -> ReleaseService:
    if role is Role.STATE:
        names: tuple[str, ...] = (f"shop-prod-{name}-1",)
        keys: tuple[str, ...] = (name,)
        pin = image(name)
    else:
        names = tuple(f"shop-prod-r{number}-{name}-{item}" for item in range(1, replicas + 1))
        keys = tuple(f"{name}-r{number}-{item}" for item in range(1, replicas + 1))
        pin = image(number=number)
    values: dict[str, Any] = {
        "reason": f"{role.value} in this test",
        "containers": names,
        "compose_services": keys,
        "image": pin,
    }
    return ReleaseService(name, role, **{**values, **more})


def release(number: int = 7, **more: Any) -> Release:
    """A shop with web (2 replicas), worker, beat, db and a migration."""
    services = (
        service("beat", Role.SINGLE, number),
        service("db", Role.STATE, is_dumpable=True),
        service("web", Role.ROUTED, number, replicas=2),
        service("worker", Role.CONSUMER, number),
    )
    network = network_in(f"shop-prod-r{number}-net", f"10.201.{number}.0/27")
    upstreams = tuple(
        Upstream(f"shop-prod-r{number}-web-{item}", f"10.201.{number}.{item + 1}", 8000)
        for item in (1, 2)
    )
    model, state_model = models(services, number, network.name)
    values: dict[str, Any] = {
        "artifact": f"a{number}",
        "fingerprint": f"f{number}",
        "revision": None,
        "tag": f"v{number}",
        "services": services,
        "routes": (ReleaseRoute("/", "web", upstreams, ready="/health/"),),
        "hosts": ("shop.test",),
        "entrypoint": "https",
        "network": network,
        "stack_network": network_in("shop-prod-state", "10.201.0.0/27"),
        "volumes": ("shop-prod_data",),
        "model": model,
        "state_model": state_model,
        "sealed": b"",
        "jobs": (JobSpec("migrate", "web", ("migrate",), is_migration=True),),
    }
    return Release(SHOP, number, **{**values, **more})


def adopted_release() -> Release:
    """The shop as a Compose project of its own that was adopted: other names, other networks."""
    whole = release(0, jobs=())
    services = tuple(
        replace(
            item,
            containers=(f"old-{item.name}-1",),
            compose_services=(f"old-{item.name}-1",),
            image=image("db") if item.name == "db" else image(number=1),
        )
        for item in whole.services
    )
    upstream = Upstream("old-web-1", "10.201.100.2", 8000)
    return replace(
        whole,
        artifact="adopted-old",
        services=services,
        routes=(replace(whole.routes[0], upstreams=(upstream,)),),
        network=network_in("old_default.shop-prod-r0-net", "10.201.100.0/27"),
        stack_network=network_in("old_default.shop-prod-state", "10.201.0.0/27"),
        volumes=(),
        adopted={name: f"id-{name}" for item in services for name in item.containers},
        adopted_from="old",
        volume_names={"data": "old_data"},
    )


def after_adoption(number: int) -> Release:
    """A later release of the adopted shop: its database is the one that was there."""
    whole = release(number, volumes=(), jobs=())
    network = adopted_release().stack_network
    networks = {**whole.model["networks"], "stack": {"name": network.name, "external": True}}
    services = tuple(
        replace(item, containers=("old-db-1",)) if item.name == "db" else item
        for item in whole.services
    )
    return replace(
        whole,
        services=services,
        stack_network=network,
        model={**whole.model, "networks": networks},
        state_model={**whole.state_model, "networks": networks},
        volume_names={"data": "old_data"},
    )


def models(
    services: tuple[ReleaseService, ...], number: int, network: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The Compose models of a release and of its stack, as small as the in-memory engine takes."""
    networks = {
        "release": {"name": network, "external": True},
        "stack": {"name": "shop-prod-state", "external": True},
    }
    app: dict[str, Any] = {}
    state: dict[str, Any] = {}
    last = 1
    for item in services:
        assert item.image
        for key, name in zip(item.compose_services, item.containers, strict=True):
            release_number = None if item.role is Role.STATE else number
            one = _model(name, item.image, release_number)
            if item.role is Role.STATE:
                state[key] = {**one, "networks": {"stack": {}}}
                continue
            fixed = {}
            if item.role is Role.ROUTED:
                last += 1
                fixed = {"ipv4_address": f"10.201.{number}.{last}"}
            app[key] = {**one, "networks": {"release": fixed, "stack": {}}}
    job = _model(f"shop-prod-r{number}-job-migrate", image(number=number), number)
    job["labels"][LABEL_JOB] = "migrate"
    app[f"job-migrate-r{number}"] = {**job, "restart": "no", "networks": {"release": {}}}
    return {"services": app, "networks": networks}, {"services": state, "networks": networks}


def _model(name: str, pin: ImagePin, number: int | None) -> dict[str, Any]:
    labels = {LABEL_STACK: str(SHOP)}
    if number is not None:
        labels[LABEL_RELEASE] = str(number)
    return {"image": pin.runs_as, "container_name": name, "labels": labels}


def observed(
    live: Release | None = None, *, warm: tuple[Release, ...] = (), **more: Any
) -> Observed:
    """The world in which `live` runs as it should."""
    if live is None:
        return Observed(SHOP, **more)
    running = frozenset(
        name for item in (live, *warm) for service in item.services for name in service.containers
    )
    values: dict[str, Any] = {
        "containers": running,
        "running": running,
        "networks": frozenset({live.stack_network.name, live.network.name}),
        "volumes": frozenset(live.volumes),
        "images": frozenset(item.image.runs_as for item in live.services if item.image),
        "claims": frozenset(HostClaim("https", host, SHOP.project) for host in live.hosts),
        "attached": frozenset(item.key for item in (live, *warm)),
        "applied": {item.name: live for item in live.with_role(Role.STATE)},
        "recorded": frozenset(item.name for item in live.with_role(Role.STATE)),
    }
    return replace(Observed(SHOP, live=live, warm=warm), **{**values, **more})
