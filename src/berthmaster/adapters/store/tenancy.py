"""Tenants and their domains: one host belongs to one tenant, and one host of each is primary."""

import json
import sqlite3
from dataclasses import replace

from berthmaster.adapters.store.database import Database
from berthmaster.adapters.store.part import Part, instant_or_none
from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.names import StackId, parse_stack
from berthmaster.domain.tenancy import AlertKind, Domain, Proof, Tenant, TenantState, Watched

_SAVE = """
    INSERT INTO tenants (stack, app, environment, slug, state, size, expires_at, pinned, created_at,
        created_by, removed_at, backup, variables, labels, hosts, tag)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (stack) DO UPDATE SET
        state = excluded.state, size = excluded.size, expires_at = excluded.expires_at,
        pinned = excluded.pinned, created_at = excluded.created_at,
        created_by = excluded.created_by, removed_at = excluded.removed_at,
        backup = excluded.backup, variables = excluded.variables, labels = excluded.labels,
        hosts = excluded.hosts, tag = excluded.tag
"""


class Tenancy(Part):
    """The part of the store about tenants and domains."""

    def tenants(self, app: str | None = None, environment: str | None = None) -> tuple[Tenant, ...]:
        """Every tenant, of an app, or of one environment of it, by address."""
        rows = self._database.rows(
            "SELECT * FROM tenants WHERE (?1 IS NULL OR app = ?1)"
            " AND (?2 IS NULL OR environment = ?2) ORDER BY stack",
            *(app, environment),
        )
        return tuple(_tenant(row) for row in rows)

    def tenant(self, stack: StackId) -> Tenant | None:
        """One tenant, or its tombstone."""
        row = self._database.row_or_none("SELECT * FROM tenants WHERE stack = ?", str(stack))
        return _tenant(row) if row else None

    def save_tenant(self, tenant: Tenant) -> None:
        """Add it or change it."""
        stack = tenant.stack
        self._database.write(
            _SAVE,
            *(str(stack), stack.app, stack.environment, tenant.slug, tenant.state, tenant.size),
            *(tenant.expires_at.isoformat() if tenant.expires_at else None, tenant.pinned),
            *(tenant.created_at.isoformat() if tenant.created_at else self._now(),),
            tenant.created_by,
            *(tenant.removed_at.isoformat() if tenant.removed_at else None, tenant.backup),
            *(json.dumps(dict(tenant.values)), json.dumps(dict(tenant.labels))),
            *(json.dumps(tenant.hosts), tenant.tag),
        )

    def set_watched(self, stack: StackId, watched: Watched) -> None:
        """Note what was last seen of it."""
        at = watched.measured_at
        document = {
            "at": at.isoformat() if at else None,
            "disk": watched.disk_bytes,
            "alerts": dict(watched.alerts),
        }
        self._database.write(
            "UPDATE tenants SET watched = ? WHERE stack = ?", json.dumps(document), str(stack)
        )

    def bury_tenant(self, stack: StackId) -> None:
        """Make it a tombstone: its hosts are remembered, and free."""
        with self._database.transaction():
            bury(self._database, stack, self._now())

    def revive_tenant(self, stack: StackId, custom: frozenset[str] = frozenset()) -> None:
        """Make a tombstone a tenant again; its hosts must be free."""
        with self._database.transaction():
            found = self.tenant(stack)
            if found is None or found.state is not TenantState.REMOVED:
                return
            for position, host in enumerate(found.hosts):
                self.add_domain(
                    Domain(host, stack, stack.tenant, position == 0, is_custom=host in custom)
                )
            self.save_tenant(replace(found, state=TenantState.RESTORING))

    def forget_tenant(self, stack: StackId) -> None:
        """Remove it for good."""
        self._database.write("DELETE FROM tenants WHERE stack = ?", str(stack))

    def domains(self, stack: StackId | None = None) -> tuple[Domain, ...]:
        """Of one stack or of all, by tenant, the primary one first."""
        rows = self._database.rows(
            "SELECT * FROM domains WHERE ?1 IS NULL OR stack = ?1"
            " ORDER BY stack, tenant, is_primary DESC, host",
            str(stack) if stack else None,
        )
        return tuple(_domain(row) for row in rows)

    def domain(self, host: str) -> Domain | None:
        """Who has a host."""
        row = self._database.row_or_none("SELECT * FROM domains WHERE host = ?", host)
        return _domain(row) if row else None

    def add_domain(self, domain: Domain) -> None:
        """Add a host, or leave the tenant's own as it is; refuses one that another has."""
        with self._database.transaction():
            held = self.domain(domain.host)
            if held is not None:
                _refuse_another(held, domain)
                return
            is_first = not self._of_tenant(domain)
            if domain.is_primary or is_first:
                self._no_primary(domain)
            self._database.write(
                "INSERT INTO domains (host, stack, tenant, is_primary, is_custom, proof, token,"
                " added_at, added_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                *(domain.host, str(domain.stack), domain.tenant or ""),
                *(int(domain.is_primary or is_first), int(domain.is_custom)),
                *(domain.proof, domain.token),
                *(domain.added_at.isoformat() if domain.added_at else self._now(),),
                domain.added_by,
            )

    def set_primary(self, host: str) -> None:
        """Make a host its tenant's primary one."""
        with self._database.transaction():
            held = self._held(host)
            self._no_primary(held)
            self._database.write("UPDATE domains SET is_primary = 1 WHERE host = ?", host)

    def set_proof(self, host: str, proof: Proof) -> None:
        """Note how far the proof of ownership is."""
        with self._database.transaction():
            self._held(host)
            self._database.write("UPDATE domains SET proof = ? WHERE host = ?", proof, host)

    def remove_domain(self, host: str) -> None:
        """Remove a host."""
        self._database.write("DELETE FROM domains WHERE host = ?", host)

    def _held(self, host: str) -> Domain:
        found = self.domain(host)
        if found is None:
            raise NotFound(f"no tenant has the domain {host}", next_command="berth tenant list")
        return found

    def _of_tenant(self, domain: Domain) -> list[sqlite3.Row]:
        return self._database.rows(
            "SELECT host FROM domains WHERE stack = ? AND tenant = ?",
            *(str(domain.stack), domain.tenant or ""),
        )

    def _no_primary(self, domain: Domain) -> None:
        self._database.write(
            "UPDATE domains SET is_primary = 0 WHERE stack = ? AND tenant = ?",
            *(str(domain.stack), domain.tenant or ""),
        )


def bury(database: Database, stack: StackId, now: str) -> None:
    """Turn a tenant into a tombstone, in the open transaction."""
    rows = database.rows(
        "SELECT host FROM domains WHERE stack = ? ORDER BY is_primary DESC, host", str(stack)
    )
    database.write(
        "UPDATE tenants SET state = ?, removed_at = ?, hosts = ? WHERE stack = ? AND state <> ?",
        *(TenantState.REMOVED, now, json.dumps([row["host"] for row in rows]), str(stack)),
        TenantState.REMOVED,
    )
    database.write("DELETE FROM domains WHERE stack = ?", str(stack))


def _refuse_another(held: Domain, wanted: Domain) -> None:
    if (held.stack, held.tenant) == (wanted.stack, wanted.tenant):
        return
    owner = str(held.stack)
    if held.tenant and held.tenant != held.stack.tenant:
        owner = f"{held.tenant} of {owner}"
    raise NotAllowed(f"{wanted.host} belongs to {owner}")


def _tenant(row: sqlite3.Row) -> Tenant:
    return Tenant(
        stack=parse_stack(row["stack"]),
        state=TenantState(row["state"]),
        values=json.loads(row["variables"]),
        size=row["size"],
        expires_at=instant_or_none(row["expires_at"]),
        pinned=row["pinned"],
        labels=json.loads(row["labels"]),
        created_at=instant_or_none(row["created_at"]),
        created_by=row["created_by"],
        removed_at=instant_or_none(row["removed_at"]),
        hosts=tuple(json.loads(row["hosts"])),
        backup=row["backup"],
        tag=row["tag"],
        watched=_watched(row["watched"]),
    )


def _watched(text: str | None) -> Watched:
    if text is None:
        return Watched()
    found = json.loads(text)
    alerts = {AlertKind(kind): str(words) for kind, words in found["alerts"].items()}
    return Watched(instant_or_none(found["at"]), found["disk"], alerts)


def _domain(row: sqlite3.Row) -> Domain:
    return Domain(
        host=row["host"],
        stack=parse_stack(row["stack"]),
        tenant=row["tenant"] or None,
        is_primary=bool(row["is_primary"]),
        is_custom=bool(row["is_custom"]),
        proof=Proof(row["proof"]),
        token=row["token"],
        added_at=instant_or_none(row["added_at"]),
        added_by=row["added_by"],
    )
