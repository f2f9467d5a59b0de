"""`berth build`: build an environment's images, tagged with the release variable."""

from dataclasses import dataclass, replace

from berthmaster.domain.errors import UserError
from berthmaster.ports.outside import Outside
from berthmaster.services.render_model import ReleaseRequest, compose_inputs, environment_of
from berthmaster.services.tenant_spec import read_spec

SHORT_COMMIT = 12


@dataclass(frozen=True, slots=True)
class Built:
    """What was built."""

    tag: str
    images: tuple[str, ...]


async def build_images(outside: Outside, request: ReleaseRequest) -> Built:
    """Build every service that has a `build`; raises `UserError` when there is none, or no tag."""
    tag = request.tag or tag_of_revision(outside.specs.revision(request.folder))
    request = replace(request, tag=tag)
    spec = read_spec(outside, request.folder, request.stack, request.overlay)
    environment = environment_of(spec, request.stack)
    secrets = outside.specs.secret_variables(spec, environment.name)
    inputs = compose_inputs(spec, environment, request, secrets)
    model = await outside.compose.config(request.stack.project, inputs)
    built = {name: item for name, item in model["services"].items() if item.get("build")}
    if not built:
        raise UserError(f"no service of {request.stack} has a `build`")
    await outside.compose.build(request.stack.project, inputs, sorted(built))
    images = {
        item.get("image") or f"{request.stack.project}-{name}" for name, item in built.items()
    }
    return Built(tag, tuple(sorted(images)))


def tag_of_revision(revision: str | None) -> str:
    """Twelve digits of the commit, with `-dirty` kept; raises `UserError` outside a repository."""
    if revision is None:
        raise UserError(
            "this folder is in no git repository, so there is no commit to tag with",
            next_command="berth build ENV --tag NAME",
        )
    commit, dash, state = revision.partition("-")
    return f"{commit[:SHORT_COMMIT]}{dash}{state}"
