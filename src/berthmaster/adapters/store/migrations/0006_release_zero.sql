-- What ran before Berthmaster came is release 0: the two tables are made anew with another check.

CREATE TABLE new_releases (
    stack TEXT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
    number INTEGER NOT NULL CHECK (number >= 0),
    state TEXT NOT NULL,
    artifact TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    tag TEXT,
    revision TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    warm_until TEXT,
    PRIMARY KEY (stack, number)
) STRICT;

INSERT INTO new_releases SELECT stack, number, state, artifact, fingerprint, tag, revision, created_at,
    created_by, warm_until FROM releases;

CREATE TABLE new_documents (
    stack TEXT NOT NULL,
    number INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (stack, number),
    FOREIGN KEY (stack, number) REFERENCES new_releases (stack, number) ON DELETE CASCADE
) STRICT;

INSERT INTO new_documents SELECT stack, number, document FROM release_documents;

CREATE TABLE new_applied_states (
    stack TEXT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
    service TEXT NOT NULL,
    release INTEGER NOT NULL CHECK (release >= 0),
    PRIMARY KEY (stack, service)
) STRICT, WITHOUT ROWID;

INSERT INTO new_applied_states SELECT stack, service, release FROM applied_states;

DROP TABLE applied_states;
DROP TABLE release_documents;
DROP TABLE releases;
ALTER TABLE new_releases RENAME TO releases;
ALTER TABLE new_documents RENAME TO release_documents;
ALTER TABLE new_applied_states RENAME TO applied_states;

CREATE UNIQUE INDEX one_live_release_per_stack ON releases (stack) WHERE state = 'live';
CREATE INDEX releases_by_state ON releases (state);
