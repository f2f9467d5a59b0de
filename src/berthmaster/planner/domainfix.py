"""How rows that break the domain policy are repaired: decided from the rows alone.

Only what the source documents did by hand: `.localhost` at the end of a name becomes the suffix
unless that name is taken, rows with another forbidden part go, and each tenant gets one primary
domain, the canonical one first. Tenants that are exempt are never touched. A second plan over the
repaired rows changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from berthmaster.domain.domainpolicy import (
    DomainPolicy,
    DomainRow,
    RowChange,
    check_domain,
    normal_or_same,
)

LOCAL: Final = ".localhost"


@dataclass(frozen=True, slots=True)
class DomainFix:
    """What would be done, and what is left for a person."""

    changes: tuple[RowChange, ...] = ()
    skipped: tuple[tuple[DomainRow, str], ...] = ()

    @property
    def renamed_count(self) -> int:
        """Rows that get another name."""
        return sum(
            item.after is not None and item.after.domain != item.before.domain
            for item in self.changes
        )

    @property
    def deleted_count(self) -> int:
        """Rows that go."""
        return sum(item.after is None for item in self.changes)

    @property
    def promoted_count(self) -> int:
        """Rows that become their tenant's primary one."""
        return sum(
            item.after is not None and item.after.is_primary and not item.before.is_primary
            for item in self.changes
        )


def plan_domain_fix(policy: DomainPolicy, rows: Sequence[DomainRow]) -> DomainFix:
    """The changes of rows, in the order in which they can be made."""
    own = [row for row in rows if row.tenant not in policy.exempt]
    taken = {normal_or_same(row.domain) for row in rows}
    after: dict[str, tuple[DomainRow | None, str]] = {}
    skipped: list[tuple[DomainRow, str]] = []
    for row in own:
        if row.domain.endswith(LOCAL) and policy.suffix:
            target = f"{row.domain.removesuffix(LOCAL)}.{policy.suffix}"
            if target in taken:
                skipped.append((row, f"{target} is there already"))
            elif wrong := check_domain(policy, target, row.tenant):
                skipped.append((row, f"{target}: {wrong[0][1]}"))
            else:
                taken.add(target)
                after[row.id] = (replace(row, domain=target), f"{LOCAL} is no public name")
    for row in own:
        part = _forbidden_part(policy, row.domain)
        if part and row.id not in after:
            if _has_another(policy, row, own, after):
                after[row.id] = (None, f"{part} has no place here")
            else:
                skipped.append((row, f"it is the only name that {row.tenant} has: add one first"))
    for row, why in _primaries(policy, own, after):
        known = after.get(row.id, (row, ""))
        after[row.id] = (row, "; ".join(text for text in (known[1], why) if text))
    changes = [RowChange(row, *after[row.id]) for row in own if row.id in after]
    return DomainFix(tuple(sorted(changes, key=_order)), tuple(skipped))


def _forbidden_part(policy: DomainPolicy, domain: str) -> str:
    """A forbidden part other than `.localhost` at the end."""
    parts = (part for part in policy.forbidden_in(domain) if part != LOCAL)
    return next(parts, "")


def _has_another(
    policy: DomainPolicy,
    row: DomainRow,
    rows: Iterable[DomainRow],
    after: dict[str, tuple[DomainRow | None, str]],
) -> bool:
    """Whether the tenant keeps a name that is good."""
    for other in rows:
        new = after.get(other.id, (other, ""))[0]
        is_kept = other is not row and other.tenant == row.tenant and new is not None
        if is_kept and new and not check_domain(policy, new.domain, new.tenant):
            return True
    return False


def _primaries(
    policy: DomainPolicy,
    rows: Iterable[DomainRow],
    after: dict[str, tuple[DomainRow | None, str]],
) -> Iterable[tuple[DomainRow, str]]:
    """Rows whose flag changes: one primary for each tenant, a good name before a bad one."""
    by_tenant: dict[str, list[DomainRow]] = {}
    for row in rows:
        new = after.get(row.id, (row, ""))[0]
        if new is not None:
            by_tenant.setdefault(row.tenant, []).append(new)
    for own in by_tenant.values():
        chosen = min(own, key=lambda row: _rank(policy, row))
        primary = [row for row in own if row.is_primary]
        if len(primary) == 1 and _is_good(policy, primary[0]):
            continue
        for row in own:
            if row.is_primary != (row is chosen):
                why = "one primary domain each" if row.is_primary else "it is the canonical one"
                yield replace(row, is_primary=row is chosen), why


def _rank(policy: DomainPolicy, row: DomainRow) -> tuple[bool, bool, bool, int, str]:
    """Good names first, `<tenant>.<suffix>` before others, what was primary, the oldest."""
    label = policy.canonical_label(row.domain)
    number = int(row.id) if row.id.isdigit() else 0
    return (
        not _is_good(policy, row),
        label != row.tenant.replace("_", "-") if label is not None else True,
        not row.is_primary,
        number,
        row.id,
    )


def _is_good(policy: DomainPolicy, row: DomainRow) -> bool:
    return not check_domain(policy, row.domain, row.tenant)


def _order(change: RowChange) -> int:
    """Deletions free names, demotions free the flag."""
    if change.after is None:
        return 0
    return 2 if change.after.is_primary and not change.before.is_primary else 1
