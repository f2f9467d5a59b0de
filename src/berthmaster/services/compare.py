"""`berth diff`: two environments as their files say, or two releases of one stack; reads only."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from berthmaster.domain.errors import NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.sealed import SealedValues
from berthmaster.planner import mirror
from berthmaster.planner.releasediff import Line, Sealed, compare_releases
from berthmaster.ports.outside import Outside
from berthmaster.services.render_model import ReleaseRequest, render_model, variables_of
from berthmaster.services.tenant_spec import read_spec

ANY_TAG: Final = "0"  # the same for both sides: which version runs is not what is compared


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two environments."""

    left: StackId
    right: StackId
    differences: tuple[mirror.Difference, ...]
    unused: tuple[str, ...]  # listed as meant, and not there

    @property
    def unintended(self) -> tuple[mirror.Difference, ...]:
        """What nobody listed as meant."""
        return tuple(item for item in self.differences if item.why is None)


async def compare_environments(
    outside: Outside, folder: Path, left: StackId, right: StackId
) -> Comparison:
    """Render both and compare; raises `UserError`s of the files."""
    ours, theirs = await asyncio.gather(_side(outside, folder, left), _side(outside, folder, right))
    found = mirror.differences(ours, theirs)
    return Comparison(left, right, found, mirror.unused(ours, theirs, found))


async def _side(outside: Outside, folder: Path, stack: StackId) -> mirror.Side:
    spec = read_spec(outside, folder, stack)
    known = stack.environment in spec.environments
    is_versioned = known and outside.specs.versioned_services(spec, stack.environment)
    tag = ANY_TAG if is_versioned else None
    request = ReleaseRequest(stack, folder, tag, command="berth diff")
    found = await render_model(outside, request, is_lenient=True)
    variables = variables_of(outside, folder, found.environment)
    return mirror.Side(spec, found.environment, found.model, found.decisions, variables)


def compare_numbers(outside: Outside, stack: StackId, old: int, new: int) -> tuple[Line, ...]:
    """What changed between two releases of a stack; raises `NotFound`."""
    return compare_releases(_sealed(outside, stack, old), _sealed(outside, stack, new))


def _sealed(outside: Outside, stack: StackId, number: int) -> Sealed:
    release = outside.store.release(stack, number)
    if release is None:
        raise NotFound(f"{stack} has no release r{number}", next_command=f"berth releases {stack}")
    return Sealed(release, SealedValues.from_bytes(outside.vault.open(release.sealed)))
