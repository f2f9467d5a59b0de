-- What was said of artifacts and stacks: verified, rejected, approved, held. Rows are added only, and
-- outlive the stack: what stage proved is true after stage is gone.

CREATE TABLE judgements (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    app TEXT NOT NULL,
    stack TEXT,  -- app@environment/tenant; NULL: the artifact everywhere
    artifact TEXT,  -- NULL: about the stack itself
    release INTEGER,
    deployment INTEGER,
    why TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX judgements_by_app ON judgements (app, id);

CREATE TRIGGER judgements_are_never_changed BEFORE UPDATE ON judgements
BEGIN
    SELECT RAISE(ABORT, 'judgements are append-only');
END;

CREATE TRIGGER judgements_are_never_removed BEFORE DELETE ON judgements
BEGIN
    SELECT RAISE(ABORT, 'judgements are append-only');
END;
