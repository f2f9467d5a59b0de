-- Customers with a stack of their own, and the hosts of every customer. A tenant outlives its stack: as a
-- tombstone it says what a restore needs.

CREATE TABLE tenants (
    stack TEXT PRIMARY KEY,  -- app@environment/slug
    app TEXT NOT NULL,
    environment TEXT NOT NULL,
    slug TEXT NOT NULL,
    state TEXT NOT NULL,
    size TEXT,
    expires_at TEXT,
    pinned TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    removed_at TEXT,
    backup TEXT,
    variables TEXT NOT NULL,  -- JSON objects and lists
    labels TEXT NOT NULL,
    hosts TEXT NOT NULL,
    UNIQUE (app, environment, slug)
) STRICT, WITHOUT ROWID;

CREATE TABLE domains (
    host TEXT PRIMARY KEY,
    stack TEXT NOT NULL,
    tenant TEXT NOT NULL,  -- '': the stack itself
    is_primary INTEGER NOT NULL CHECK (is_primary IN (0, 1)),
    is_custom INTEGER NOT NULL CHECK (is_custom IN (0, 1)),
    proof TEXT NOT NULL,
    token TEXT NOT NULL,
    added_at TEXT NOT NULL,
    added_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX domains_by_tenant ON domains (stack, tenant);
CREATE UNIQUE INDEX one_primary_domain_per_tenant ON domains (stack, tenant) WHERE is_primary = 1;
