"""What was said of a stack and of its artifacts, for lists; reads only."""

from collections.abc import Mapping
from dataclasses import dataclass

from berthmaster.domain import judgement as judging
from berthmaster.domain.names import StackId
from berthmaster.ports.outside import Outside


@dataclass(frozen=True, slots=True)
class Marks:
    """By artifact; `held` is of the stack."""

    held: str | None
    verified: Mapping[str, str]  # in this stack, and by what
    rejected: Mapping[str, str]  # why
    approved: Mapping[str, tuple[str, ...]]  # for this stack, by whom

    def of(self, artifact: str) -> tuple[str, ...]:
        """In words: `verified`, `rejected: leaks`, `approved by bob@web1`."""
        found = []
        if artifact in self.rejected:
            found.append(f"rejected: {self.rejected[artifact]}")
        if artifact in self.verified:
            found.append("verified")
        if artifact in self.approved:
            found.append(f"approved by {', '.join(self.approved[artifact])}")
        return tuple(found)


def read_marks(outside: Outside, stack: StackId) -> Marks:
    """One question to the store for a whole list."""
    found = outside.store.judgements(stack.app)
    artifacts = sorted({item.artifact for item in found if item.artifact})
    record = outside.store.stack(stack)
    verified = {item: judging.verification(found, stack, item) for item in artifacts}
    rejected = {item: judging.rejection(found, item) for item in artifacts}
    approved = {item: judging.approvals(found, stack, item) for item in artifacts}
    return Marks(
        held=record.held_because if record else None,
        verified={name: said.why for name, said in verified.items() if said},
        rejected={name: said.why for name, said in rejected.items() if said},
        approved={
            name: tuple(sorted({item.actor for item in all_of}))
            for name, all_of in approved.items()
            if all_of
        },
    )
