"""What may be a tenant's domain: the rules, and every way in which rows break them.

Pure: rows come from Berthmaster's own store or from the app's table. A violation names the row and
the remedy. Names are compared as DNS does: lower case, IDNA.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from berthmaster.domain.errors import InvalidName
from berthmaster.domain.names import check_host

if TYPE_CHECKING:
    from berthmaster.domain.spec import AppSpec

RESERVED: Final = (
    *("www", "api", "admin", "public", "status", "tenant", "tenants", "mail", "static", "assets"),
    *("ftp", "ns1", "ns2", "autoconfig", "autodiscover", "wpad"),
)


@dataclass(frozen=True, slots=True)
class DomainRow:
    """A row of `tenants_domain`, or one of Berthmaster's own."""

    id: str
    domain: str
    is_primary: bool
    tenant: str

    @property
    def shown(self) -> str:
        """How people find it."""
        return f"row {self.id}" if self.id else self.domain


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row before and after; no `after` means that it goes."""

    before: DomainRow
    after: DomainRow | None
    why: str


@dataclass(frozen=True, slots=True)
class DomainPolicy:
    """What the names of an environment must be like."""

    suffix: str | None  # canonical; None: every name is the tenants' own
    forbidden: tuple[str, ...] = (".staging.", ".localhost")
    reserved: tuple[str, ...] = RESERVED
    exempt: tuple[str, ...] = ("public", "main")
    may_be_custom: bool = False
    suffixes: tuple[str, ...] = ()  # others of ours

    def canonical_label(self, domain: str) -> str | None:
        """What stands before the suffix; empty for the suffix itself, None elsewhere."""
        suffix = self.suffix_of(domain)
        if suffix is None:
            return None
        return domain.removesuffix(suffix).removesuffix(".")

    def suffix_of(self, domain: str) -> str | None:
        """The suffix that a name is below, or is; of two the longer one."""
        found = {item for item in (self.suffix, *self.suffixes) if item}
        ours = (item for item in found if domain == item or domain.endswith(f".{item}"))
        return max(ours, key=len, default=None)

    def forbidden_in(self, domain: str) -> tuple[str, ...]:
        """The forbidden parts of a name; one that begins with a dot ends where a label does."""
        return tuple(part for part in self.forbidden if _holds(domain, part))


def _holds(domain: str, part: str) -> bool:
    if domain == part.strip("."):
        return True
    if not part.startswith("."):
        return part in domain
    return f"{part.rstrip('.')}." in (domain if part.endswith(".") else f"{domain}.")


@dataclass(frozen=True, slots=True)
class Outline:
    """What of `berth.yaml` a command needs that deploys nothing: which stacks, and what names."""

    app: str
    environments: Mapping[str, DomainPolicy | None]  # None: the app has no tenants


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a row, or a tenant's rows together, break."""

    rule: str  # stable: `suffix`, `forbidden`, `primary`, ...
    rows: tuple[DomainRow, ...]
    tenant: str
    what: str
    remedy: str


def has_tenants(spec: "AppSpec") -> bool:
    """Whether there are rows to judge."""
    return spec.tenancy is not None or spec.domains.source is not None


def policy_of(spec: "AppSpec", environment: str) -> DomainPolicy:
    """What names of an environment must be like; one that is not strict forbids no part."""
    there, given = spec.environments[environment], spec.domains
    suffix = spec.tenancy.suffix(environment) if spec.tenancy else None
    return DomainPolicy(
        suffix=suffix or next(iter(given.suffixes), None),
        forbidden=given.forbidden if there.is_strict else (),
        reserved=(*RESERVED, *given.reserved),
        exempt=given.exempt,
        may_be_custom=given.may_be_custom,
        suffixes=given.suffixes,
    )


def outline_of(spec: "AppSpec") -> Outline:
    """The outline of a whole file."""
    is_judged = has_tenants(spec)
    names = spec.environments
    return Outline(spec.app, {name: policy_of(spec, name) if is_judged else None for name in names})


def check_domain(policy: DomainPolicy, domain: str, tenant: str) -> tuple[tuple[str, str], ...]:
    """The rules that one name breaks, with what is wrong; empty for a good one."""
    try:
        normal = check_host(domain)
    except InvalidName as error:
        return (("name", error.message),)
    found = []
    if normal != domain:
        found.append(("name", f"it is not written as DNS has it, {normal}"))
    if normal.startswith("*."):
        return (("name", "a tenant has whole names, no suffix"),)
    if normal.rpartition(".")[2].isdecimal():
        return (("name", "it is an address, no name"),)
    found += [("forbidden", f"it contains {part}") for part in policy.forbidden_in(normal)]
    return tuple(found) or _place(policy, normal, tenant)


def _place(policy: DomainPolicy, domain: str, tenant: str) -> tuple[tuple[str, str], ...]:
    """Where a name may be: below the suffix by one label that is not reserved."""
    label = policy.canonical_label(domain)
    if label is None:
        is_theirs = policy.may_be_custom or not policy.suffix
        return () if is_theirs else (("suffix", f"it is not below {policy.suffix}"),)
    if tenant in policy.exempt:
        return ()
    if not label:
        return (("reserved", "the suffix itself is no tenant's"),)
    if "." in label:
        return (("depth", f"*.{policy.suffix_of(domain)} covers one label, not {label}"),)
    return (("reserved", f"{label} is a reserved name"),) if label in policy.reserved else ()


def check_rows(
    policy: DomainPolicy, rows: Sequence[DomainRow], elsewhere: Mapping[str, str] | None = None
) -> tuple[Violation, ...]:
    """Every violation; `elsewhere` are hosts of other stacks, and whose they are."""
    return (
        *_names(policy, rows),
        *_twice(rows),
        *_elsewhere(rows, elsewhere or {}),
        *_primaries(rows),
        *_apexes(policy, rows),
    )


def _names(policy: DomainPolicy, rows: Iterable[DomainRow]) -> Iterable[Violation]:
    remedies = {
        "forbidden": "berth domain fix ENV, or delete the row",
        "suffix": "rename it, or allow customers' own domains: domains.custom: true",
        "reserved": "give the tenant another name",
        "depth": "use one label before the suffix",
        "name": "correct the name",
    }
    for row in rows:
        for rule, what in check_domain(policy, row.domain, row.tenant):
            yield Violation(rule, (row,), row.tenant, f"{row.domain}: {what}", remedies[rule])


def _twice(rows: Iterable[DomainRow]) -> Iterable[Violation]:
    by_name: dict[str, list[DomainRow]] = defaultdict(list)
    for row in rows:
        by_name[normal_or_same(row.domain)].append(row)
    for name, same in by_name.items():
        if len(same) > 1:
            owners = ", ".join(sorted({row.tenant for row in same}))
            what = f"{name} is there {len(same)} times (tenants {owners})"
            yield Violation("unique", tuple(same), same[0].tenant, what, "delete all but one row")


def _elsewhere(rows: Iterable[DomainRow], elsewhere: Mapping[str, str]) -> Iterable[Violation]:
    for row in rows:
        if owner := elsewhere.get(normal_or_same(row.domain)):
            what = f"{row.domain} belongs to {owner}"
            yield Violation("unique", (row,), row.tenant, what, "take it away from one of them")


def _primaries(rows: Iterable[DomainRow]) -> Iterable[Violation]:
    by_tenant: dict[str, list[DomainRow]] = defaultdict(list)
    for row in rows:
        by_tenant[row.tenant].append(row)
    for tenant, own in by_tenant.items():
        primary = [row for row in own if row.is_primary]
        if len(primary) != 1:
            names = ", ".join(row.domain for row in primary) or "none"
            what = f"{tenant} has {len(primary)} primary domains ({names})"
            remedy = f"berth domain primary {own[0].domain}, or berth domain fix ENV"
            yield Violation("primary", tuple(primary or own), tenant, what, remedy)


def _apexes(policy: DomainPolicy, rows: Sequence[DomainRow]) -> Iterable[Violation]:
    """A customer's `example.com` and `www.example.com` are one tenant's."""
    owners = {normal_or_same(row.domain): row for row in rows}
    for name, row in owners.items():
        apex = owners.get(name.removeprefix("www.")) if name.startswith("www.") else None
        if apex is None or policy.canonical_label(name) is not None:
            continue
        if apex.tenant != row.tenant:
            what = f"{name} is {row.tenant}'s and {apex.domain} is {apex.tenant}'s"
            yield Violation("apex", (row, apex), row.tenant, what, "give both to one tenant")


def counterpart(host: str) -> str:
    """Of a customer's own name: `www.acme.de` for `acme.de`, and the other way round."""
    return host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"


def normal_or_same(domain: str) -> str:
    """The name as DNS has it; one that is none stays as it is."""
    try:
        return check_host(domain)
    except InvalidName:
        return domain.lower()
