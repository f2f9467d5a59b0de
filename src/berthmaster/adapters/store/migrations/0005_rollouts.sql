-- Rollouts of a tag over the tenants of an environment, and how far each tenant is: what a killed one goes on by.

ALTER TABLE tenants ADD COLUMN tag TEXT;

CREATE TABLE rollouts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL,
    environment TEXT NOT NULL,
    tag TEXT NOT NULL,
    state TEXT NOT NULL,
    at_once INTEGER NOT NULL CHECK (at_once > 0),
    budget INTEGER NOT NULL CHECK (budget >= 0),
    started_at TEXT NOT NULL,
    started_by TEXT NOT NULL
) STRICT;

CREATE INDEX rollouts_by_environment ON rollouts (app, environment, id);

CREATE TABLE rollout_tenants (
    rollout INTEGER NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    stack TEXT NOT NULL,
    wave INTEGER NOT NULL,
    state TEXT NOT NULL,
    old INTEGER,
    new INTEGER,
    note TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (rollout, stack)
) STRICT, WITHOUT ROWID;
