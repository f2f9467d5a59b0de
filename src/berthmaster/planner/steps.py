"""Collects the steps of a plan in order, numbered, each needing what came before its phase.

Steps of one phase need only the phase before, so that independent work (pulls, networks, volumes)
is seen to be independent; `barrier` closes a phase.
"""

from berthmaster.domain.plan import Action, Step


class StepList:
    """The steps so far and the phase that new ones belong to."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._needs: tuple[int, ...] = ()
        self._phase_start = 0
        self._is_forward_only = False

    def add(
        self,
        action: Action,
        text: tuple[str, str, str],
        undo: tuple[Action, str] | None = None,
    ) -> None:
        """Add a step; `text` is (subject, what, cause), `undo` the action that reverses it and its
        words.
        """
        subject, what, cause = text
        forward = self._is_forward_only
        self._steps.append(
            Step(
                number=len(self._steps) + 1,
                needs=self._needs,
                subject=subject,
                what=what,
                cause=cause,
                action=action,
                undo=None if undo is None or forward else undo[0],
                undo_text="forward only" if forward else (undo[1] if undo else "-"),
                is_forward_only=forward,
            )
        )

    def barrier(self) -> None:
        """Let every later step need all steps of the phase that ends here."""
        phase = tuple(range(self._phase_start + 1, len(self._steps) + 1))
        if phase:
            self._needs = phase
            self._phase_start = len(self._steps)

    def point_of_no_return(self) -> None:
        """From here on steps have no undo and are only retried."""
        self.barrier()
        self._is_forward_only = True

    def done(self) -> tuple[Step, ...]:
        """All steps, in order."""
        return tuple(self._steps)
