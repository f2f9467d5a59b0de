"""`berth rehearse finish`: end the copy with all that was made for it; production is not asked."""

from dataclasses import dataclass, replace

from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.rehearsal import copy_of
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.domains.names import forget_certificates
from berthmaster.services.end_stack import destroy
from berthmaster.services.prepare_release import live_release
from berthmaster.services.rehearsals.secrets import remove_secrets
from berthmaster.services.tenant_spec import is_rehearsal, secrets_folder


@dataclass(frozen=True, slots=True)
class Finished:
    """A copy that is gone, and what of it was removed beside its stack."""

    stack: StackId
    removed: tuple[str, ...]


async def finish(outside: Outside, stack: StackId, progress: Progress) -> Finished:
    """Remove the copy of an environment; stopped half-way, the same again removes the rest."""
    copy = copy_of(replace(stack, tenant=None))
    if not is_rehearsal(outside, copy):
        raise NotAllowed(f"{copy} is a tenant", next_command=f"berth tenant show {copy}")
    folder = secrets_folder(outside, copy)
    is_there = outside.store.stack(copy) is not None
    if not is_there and not outside.secret_files.names(folder):
        raise NotFound(f"{stack} has no rehearsal", next_command=f"berth rehearse {stack}")
    release = live_release(outside, copy)
    if is_there:
        await destroy(outside, copy, progress, removes_volumes=True)
    points = outside.files.prune_dumps(copy.project, 0)
    secrets = remove_secrets(outside, folder)
    forget_certificates(outside, release.hosts if release else ())
    told = [f"restore point {name}" for name in points] + [f"secret {name}" for name in secrets]
    return Finished(copy, tuple(told))
