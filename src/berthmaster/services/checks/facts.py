"""What checkers look at: the request, the files as far as they can be read, and the outside."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from berthmaster.domain.check import Check
from berthmaster.domain.errors import Bug
from berthmaster.domain.names import StackId
from berthmaster.domain.spec import AppSpec, EnvironmentSpec
from berthmaster.ports.outside import Outside
from berthmaster.services.render_model import ReleaseRequest, Rendering


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """Everything a checker may use; what could not be read is not there."""

    outside: Outside
    request: ReleaseRequest
    spec_or_none: AppSpec | None = None
    rendering_or_none: Rendering | None = None

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


Checker = Callable[[CheckFacts], Awaitable[list[Check]]]
