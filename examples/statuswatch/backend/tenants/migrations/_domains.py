"""What the domain migrations have in common. Frozen with them: the application does not import it.

Rows are changed through the historical models, which know nothing of the library's "one primary"; so each function here
leaves exactly one itself.
"""

from django.apps.registry import Apps
from django.conf import settings

LOCAL = ".localhost"


def is_local(suffix: str) -> bool:
    """Say whether tenants live on this machine only."""
    return suffix == LOCAL[1:] or suffix.endswith(LOCAL)


def add_development_names(apps: Apps, hosts: dict[str, str]) -> None:
    """Give schemas more host names; nothing happens in production, or where a schema or its owner is missing.

    In production a name that leads to this very machine could only leak people out of their tenant's domain.
    """
    if not is_local(settings.DEFAULT_TENANT_DOMAIN_SUFFIX):
        return
    client, domain = apps.get_model("tenants", "Client"), apps.get_model("tenants", "Domain")
    for host, schema_name in hosts.items():
        tenant = client.objects.filter(schema_name=schema_name).first()
        if tenant is not None:
            domain.objects.get_or_create(domain=host, defaults={"tenant": tenant, "is_primary": False})


def move_to_suffix(apps: Apps, suffix: str) -> list[str]:
    """Bring every `.localhost` and `.staging` host below the suffix; return one line for each, then two totals.

    Only the end of a name is changed. A name that is taken is left alone (and its stale twin removed, when both belong
    to one tenant); hosts below the suffix and hosts that customers brought are never touched.
    """
    domain = apps.get_model("tenants", "Domain")
    if is_local(suffix):
        return []
    lines, updated, skipped = [], 0, 0
    touched = set()
    for row in domain.objects.order_by("pk"):
        wanted = canonical_or_none(row.domain, suffix)
        if wanted is None:
            continue
        touched.add(row.tenant_id)
        taken = domain.objects.filter(domain=wanted).first()
        if taken is None:
            lines.append(f"Updated domain: {row.domain} -> {wanted}")
            domain.objects.filter(pk=row.pk).update(domain=wanted)
            updated += 1
            continue
        is_own = taken.tenant_id == row.tenant_id
        lines.append(f"Skipping {row.domain} - {wanted} already exists{'' if is_own else ' at another tenant'}")
        skipped += 1
        if is_own:
            domain.objects.filter(pk=row.pk).delete()
    for tenant_id in touched:
        _keep_one_primary(domain.objects.filter(tenant_id=tenant_id), suffix)
    return [*lines, f"Updated {updated} tenant domain(s)", f"Skipped {skipped} domain(s) (already exist)"]


def canonical_or_none(host: str, suffix: str) -> str | None:
    """Return the host it should be, or None when it is fine as it is."""
    if host == suffix:
        return None
    if host.endswith(f".staging.{suffix}"):
        return f"{host.removesuffix(f'.staging.{suffix}')}.{suffix}"
    if host.endswith(f".{suffix}"):
        return None
    if host == LOCAL[1:]:
        return suffix
    if host.endswith(LOCAL):
        return f"{host.removesuffix(LOCAL).removesuffix('.staging')}.{suffix}"
    return None


def _keep_one_primary(rows: object, suffix: str) -> None:
    best = min(rows, key=lambda row: (not row.domain.endswith(suffix), not row.is_primary, row.pk), default=None)
    if best is not None:
        rows.exclude(pk=best.pk).update(is_primary=False)
        rows.filter(pk=best.pk).update(is_primary=True)
