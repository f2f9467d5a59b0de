"""What checkers look at: the request, the files as far as they can be read, and the outside."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from berthmaster.domain.check import Check
from berthmaster.domain.container import Image
from berthmaster.domain.errors import Bug
from berthmaster.domain.names import StackId
from berthmaster.domain.spec import AppSpec, EnvironmentSpec
from berthmaster.ports.outside import Outside
from berthmaster.services.render_model import ReleaseRequest, Rendering

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shared:
    """What several checkers ask, asked once: by environments that are checked together too."""

    tasks: dict[tuple[str, ...], asyncio.Task[Any]] = field(default_factory=dict)

    async def once(self, key: tuple[str, ...], ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer of the first who asked; its failure is everybody's."""
        if key not in self.tasks:
            self.tasks[key] = asyncio.create_task(ask())
        found: T = await asyncio.shield(self.tasks[key])
        return found


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """Everything a checker may use; what could not be read is not there."""

    outside: Outside
    request: ReleaseRequest
    spec_or_none: AppSpec | None = None
    rendering_or_none: Rendering | None = None
    answers: Shared = field(default_factory=Shared)

    @property
    def stack(self) -> StackId:
        """Which stack is asked about."""
        return self.request.stack

    @property
    def spec(self) -> AppSpec:
        """berth.yaml; raises `Bug` for a checker that did not say that it needs it."""
        if self.spec_or_none is None:
            raise Bug("a checker asked for berth.yaml without needing it")
        return self.spec_or_none

    @property
    def environment(self) -> EnvironmentSpec:
        """The environment of the stack; needs berth.yaml."""
        return self.spec.environments[self.stack.environment]

    @property
    def rendering(self) -> Rendering:
        """The Compose model with its roles; raises `Bug` as `spec` does."""
        if self.rendering_or_none is None:
            raise Bug("a checker asked for the model without needing it")
        return self.rendering_or_none

    async def local_image(self, reference: str) -> Image | None:
        """An image as it lies here; None for one that is not, or for no reference at all."""
        if not reference:
            return None
        runtime = self.outside.runtime
        return await self.answers.once(("image", reference), lambda: runtime.image(reference))


Checker = Callable[[CheckFacts], Awaitable[list[Check]]]
