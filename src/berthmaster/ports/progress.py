"""Telling a person how a plan goes, while it goes."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from berthmaster.domain.plan import Plan, Step


class Progress(Protocol):
    """Called from the executor; must not raise and must not block."""

    def plan_started(self, plan: "Plan", deployment: str) -> None: ...

    def step_started(self, step: "Step", *, is_undo: bool) -> None: ...

    def step_ended(self, step: "Step", *, is_undo: bool, seconds: float, detail: str) -> None: ...

    def step_failed(self, step: "Step", *, is_undo: bool, seconds: float, error: str) -> None: ...

    def pulled(self, image: str, done_bytes: int, total_bytes: int) -> None: ...

    def note(self, text: str) -> None: ...


class Silence:
    """Tells nobody."""

    def plan_started(self, plan: "Plan", deployment: str) -> None:
        pass

    def step_started(self, step: "Step", *, is_undo: bool) -> None:
        pass

    def step_ended(self, step: "Step", *, is_undo: bool, seconds: float, detail: str) -> None:
        pass

    def step_failed(self, step: "Step", *, is_undo: bool, seconds: float, error: str) -> None:
        pass

    def pulled(self, image: str, done_bytes: int, total_bytes: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass
