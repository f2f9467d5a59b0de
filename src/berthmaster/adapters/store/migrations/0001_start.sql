-- The first shape of the store. Instants are ISO 8601 in UTC; `*_monotonic` are seconds of CLOCK_MONOTONIC.

CREATE TABLE stacks (
    id TEXT PRIMARY KEY,  -- app@environment/tenant
    project TEXT NOT NULL UNIQUE,
    folder TEXT NOT NULL,
    is_in_maintenance INTEGER NOT NULL DEFAULT 0 CHECK (is_in_maintenance IN (0, 1)),
    held_because TEXT
) STRICT, WITHOUT ROWID;

-- Apart from `stacks`, so that a number is never given twice, not even after the stack was forgotten.
CREATE TABLE release_numbers (
    stack TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE releases (
    stack TEXT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
    number INTEGER NOT NULL CHECK (number > 0),
    state TEXT NOT NULL,
    artifact TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    tag TEXT,
    revision TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    warm_until TEXT,
    PRIMARY KEY (stack, number)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX one_live_release_per_stack ON releases (stack) WHERE state = 'live';
CREATE INDEX releases_by_state ON releases (state);

-- The whole record, in pages of its own: `status` over 300 stacks never reads them.
CREATE TABLE release_documents (
    stack TEXT NOT NULL,
    number INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (stack, number),
    FOREIGN KEY (stack, number) REFERENCES releases (stack, number) ON DELETE CASCADE
) STRICT;

-- No reference to `stacks`: the deployment that destroys a stack outlives it.
CREATE TABLE deployments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stack TEXT NOT NULL,
    release INTEGER,
    verb TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    actor TEXT NOT NULL,
    error TEXT NOT NULL DEFAULT '',
    plan TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX one_unfinished_deployment_per_stack ON deployments (stack)
    WHERE state NOT IN ('succeeded', 'unwound', 'failed');
CREATE INDEX deployments_by_stack ON deployments (stack, id);

CREATE TABLE journal_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment_id INTEGER NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    state TEXT NOT NULL,
    at TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX journal_entries_by_deployment ON journal_entries (deployment_id, id);

-- A row stays when its lease is given back (holder NULL), so that the fence only grows.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    fence INTEGER NOT NULL,
    holder TEXT,
    step TEXT,
    acquired_at TEXT NOT NULL,  -- for people; what decides are the monotonic columns
    expires_at TEXT NOT NULL,
    acquired_monotonic REAL NOT NULL,
    expires_monotonic REAL NOT NULL,
    pid INTEGER NOT NULL,
    pid_started INTEGER,  -- clock ticks after boot: tells a process from a later one with its number
    pid_namespace TEXT NOT NULL,
    boot_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE subnets (
    owner TEXT PRIMARY KEY,  -- name of the network
    subnet TEXT NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

CREATE TABLE slots (
    slot INTEGER PRIMARY KEY,
    owner TEXT NOT NULL  -- release key: shop-prod/r7
) STRICT;

CREATE INDEX slots_by_owner ON slots (owner);

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    stack TEXT,
    what TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX events_by_stack ON events (stack, id);

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
