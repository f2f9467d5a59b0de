"""From files and options to a complete, immutable release record: read, render, check, pin, seal.

Starts and changes nothing but reservations (a number, subnets) that the caller gives back when the
release is not kept.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from berthmaster.domain.container import Network
from berthmaster.domain.errors import NotAllowed
from berthmaster.domain.names import StackId
from berthmaster.domain.rehearsal import production_of
from berthmaster.domain.release import (
    ADOPTED,
    STATE_FILES,
    FileCopy,
    ImagePin,
    Release,
    ReleaseNetwork,
    ReleaseService,
    network_in,
)
from berthmaster.domain.routing import Naming
from berthmaster.domain.sealed import SealedValues
from berthmaster.domain.spec import AppSpec, Role, TenancyMode
from berthmaster.planner.render import FileRequest, Rendered, RenderInputs, render_release
from berthmaster.ports.outside import Outside
from berthmaster.services.check_volumes import refuse_shared_data
from berthmaster.services.checks.refusing import refuse_bad_configuration
from berthmaster.services.identify_artifact import (
    identify,
    promoted_pins,
    refuse_changed_inputs,
)
from berthmaster.services.observe import applied_states
from berthmaster.services.open_records import refuse_unreadable
from berthmaster.services.pin_images import PinnedImages, pin_images
from berthmaster.services.render_model import (
    ReleaseRequest,
    Rendering,
    environment_of,
    refuse_violations,
    render_model,
    variables_of,
)
from berthmaster.services.tenant_spec import is_rehearsal, overlay_of, own_options, read_spec


@dataclass(frozen=True, slots=True)
class Prepared:
    """A release ready to be planned, and what was noticed on the way."""

    release: Release
    dropped: tuple[str, ...] = ()
    two_writers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()  # of checks and rules, with their reasons


async def prepare_release(outside: Outside, request: ReleaseRequest, *, number: int) -> Prepared:
    """Build the record of release `number`; raises `UserError`s for files, `OutsideError` for the
    rest.
    """
    refuse_unreadable(outside, request.stack)
    refuse_changed_inputs(outside, request)
    rendering = await render_model(outside, request)
    refuse_violations(rendering.violations)
    overrides = await refuse_bad_configuration(outside, request, rendering)
    kept = {
        **_pins_that_stay(outside, request),
        **promoted_pins(request, rendering),
        **_pins_alike(request, rendering),
    }
    pinned = await pin_images(outside, rendering.model, rendering.decisions, kept)
    draft = await _draft(outside, request, rendering, pinned, number)
    rendered = render_release(_render_inputs(outside, draft))
    release = _record(outside, draft, rendered)
    refuse_shared_data(outside, release)
    notes = (*rendered.notes, *pinned.notes)
    return Prepared(release, rendered.dropped, rendered.two_writers, notes, overrides)


def fingerprint_of(outside: Outside, request: ReleaseRequest) -> str:
    """One hash over all that a release of this stack is made of."""
    spec = read_spec(outside, request.folder, request.stack, request.overlay)
    environment = environment_of(spec, request.stack)
    options = {**request.options(), **own_options(environment, spec)}
    return outside.specs.fingerprint(spec, environment.name, options)


async def render_record(
    outside: Outside,
    request: ReleaseRequest,
    rendering: Rendering,
    pinned: PinnedImages,
    number: int,
    *,
    with_files: bool = False,
) -> Release:
    """The record of a rendering whose images are known; by default without the files it carries."""
    draft = await _draft(outside, request, rendering, pinned, number)
    rendered = render_release(_render_inputs(outside, draft))
    return _record(outside, draft, rendered if with_files else replace(rendered, files=()))


def _pins_that_stay(outside: Outside, request: ReleaseRequest) -> dict[str, ImagePin]:
    """Pins of what will run on: state services, or all but those that are to be changed."""
    stack = request.stack
    live = live_release(outside, stack)
    if live is None and is_rehearsal(outside, stack):  # its databases are what production's are
        stack = production_of(stack)
        live = live_release(outside, stack)
    if live is None:
        return {}
    applied = applied_states(outside, stack, live)
    pins = {item.name: item.image for item in live.services if request.state_services}
    for name, release in applied.items():
        pins[name] = next((item.image for item in release.services if item.name == name), None)
    changed = request.state_services
    return {name: pin for name, pin in pins.items() if pin and name not in changed}


def _pins_alike(request: ReleaseRequest, rendering: Rendering) -> dict[str, ImagePin]:
    """The images of another release, by service and under the names that the files have now."""
    if request.like is None:
        return {}
    services = rendering.model["services"]
    return {
        item.name: replace(item.image, reference=str(services[item.name].get("image", "")))
        for item in request.like.services
        if item.image and item.role.is_app_service and item.name in services
    }


@dataclass(frozen=True, slots=True)
class _Draft:
    """All that rendering and recording share."""

    request: ReleaseRequest
    rendering: Rendering
    pinned: PinnedImages
    number: int
    network: ReleaseNetwork
    stack_network: ReleaseNetwork
    engine_major: int
    volume_names: Mapping[str, str] = field(default_factory=dict)  # of an adopted project


async def _draft(
    outside: Outside,
    request: ReleaseRequest,
    rendering: Rendering,
    pinned: PinnedImages,
    number: int,
) -> _Draft:
    stack = request.stack
    stack_name, release_name = f"{stack.project}-state", f"{stack.release_project(number)}-net"
    before = live_release(outside, stack)
    engine, networks = await asyncio.gather(outside.runtime.version(), outside.runtime.networks())
    taken = _taken_subnets(outside, networks)
    subnets = outside.store.reserve_subnets([stack_name, release_name], taken=taken)
    return _Draft(
        request,
        rendering,
        pinned,
        number,
        network_in(release_name, subnets[release_name]),
        network_in(before.stack_network.name if before else stack_name, subnets[stack_name]),
        engine.major,
        before.volume_names if before else {},
    )


def live_release(outside: Outside, stack: StackId) -> Release | None:
    """The record of what serves; None before the first release."""
    record = outside.store.stack(stack)
    if record is None or record.live is None:
        return None
    return outside.store.release(stack, record.live)


def _taken_subnets(outside: Outside, networks: tuple[Network, ...]) -> list[str]:
    """What others use: every engine network and host route that the store did not give out."""
    ours = outside.store.subnets()
    foreign = [cidr for item in networks if item.name not in ours for cidr in item.subnets]
    mine = set(ours.values())
    return [*foreign, *(cidr for cidr in outside.host.routes() if cidr not in mine)]


def _render_inputs(outside: Outside, draft: _Draft) -> RenderInputs:
    request, rendering = draft.request, draft.rendering
    environment, stack = rendering.environment, request.stack
    return RenderInputs(
        stack=stack,
        number=draft.number,
        spec=rendering.spec,
        model=rendering.model,
        decisions=rendering.decisions,
        network=draft.network,
        stack_network=draft.stack_network,
        folder=str(outside.files.release_folder(stack.project, draft.number)),
        engine_major=draft.engine_major,
        volume_names=draft.volume_names,
        pins=draft.pinned.pins,
        users=draft.pinned.users,
        variables=variables_of(outside, request.folder, environment),
        secret_variables=outside.specs.secret_variables(rendering.spec, environment.name),
        secret_files=outside.specs.secret_files(rendering.spec, environment.name),
        state_folder=str(
            outside.files.release_folder(
                stack.project, draft.number if request.state_services else STATE_FILES
            )
        ),
    )


def _record(outside: Outside, draft: _Draft, rendered: Rendered) -> Release:
    request, rendering = draft.request, draft.rendering
    spec, environment = rendering.spec, rendering.environment
    files, secrets = _keep_files(outside, rendered.files)
    sealed = outside.vault.seal(SealedValues(rendered.environment, secrets).to_bytes())
    identity = identify(outside, request, rendering, rendered.services, files)
    return Release(
        stack=request.stack,
        number=draft.number,
        artifact=identity.artifact,
        fingerprint=fingerprint_of(outside, request),
        revision=identity.revision,
        tag=request.tag,
        services=tuple(
            _as_adopted(outside, request, _with_dump(outside, item, rendered))
            for item in rendered.services
        ),
        routes=rendered.routes,
        hosts=environment.hosts,
        entrypoint=environment.entrypoint,
        network=draft.network,
        stack_network=draft.stack_network,
        volumes=rendered.volumes,
        model=rendered.model,
        state_model=rendered.state_model,
        sealed=sealed,
        jobs=rendered.jobs,
        files=files,
        smoke=spec.smoke,
        retention=spec.retention,
        folder=str(request.folder),
        created_by=outside.actor,
        created_from=f"{outside.origin}: {request.command}",
        created_at=outside.clock.now(),
        inputs=identity.inputs,
        images=dict(request.images),
        naming=_naming(outside, spec),
        validate_path=spec.domains.validate,
        volume_names=dict(draft.volume_names),
        overlay=overlay_of(
            outside, outside.specs.read(request.folder), request.stack, request.overlay
        ),
    )


def _naming(outside: Outside, spec: AppSpec) -> Naming:
    """Whether a header names the tenant; raises `NotAllowed` for one that the router lacks."""
    if spec.tenancy is None or spec.tenancy.mode is not TenancyMode.HEADER:
        return Naming.NONE
    wanted = spec.tenancy.header or outside.tenant_header
    if wanted.lower() != outside.tenant_header.lower():
        raise NotAllowed(
            f"tenancy.header is {wanted}; this server's router knows {outside.tenant_header}",
            next_command="set gateway.tenant_header in the server's settings, berth gateway up",
        )
    return Naming.HEADER


def _keep_files(
    outside: Outside, requests: tuple[FileRequest, ...]
) -> tuple[tuple[FileCopy, ...], dict[str, bytes]]:
    """Put plain files into the content store; secret contents go to the vault only."""
    copies, secrets = [], {}
    for item in requests:
        if item.is_secret or item.content is not None:
            content = (
                item.content.encode()
                if item.content is not None
                else Path(item.source).read_bytes()
            )
            secrets[item.target] = content
            digest = ""
        else:
            digest = outside.files.keep(Path(item.source))
        is_sealed = item.target in secrets
        copies.append(FileCopy(item.target, digest, item.mode, item.uid, is_sealed, item.is_state))
    return tuple(copies), secrets


def _as_adopted(
    outside: Outside, request: ReleaseRequest, service: ReleaseService
) -> ReleaseService:
    """An adopted state service goes on in its own container until it is changed on purpose."""
    number = outside.store.applied_states(request.stack).get(service.name)
    if number != ADOPTED or service.name in request.state_services:
        return service
    record = outside.store.release(request.stack, ADOPTED)
    known = record.services if record else ()
    same = (item.containers for item in known if item.name == service.name)
    return replace(service, containers=next(same, service.containers))


def _with_dump(outside: Outside, service: ReleaseService, rendered: Rendered) -> ReleaseService:
    if service.role is not Role.STATE or service.image is None:
        return service
    values = rendered.environment.get(service.name, {})
    can_dump = outside.databases.can_dump(service.image.reference, dict(values))
    return replace(service, is_dumpable=can_dump)
