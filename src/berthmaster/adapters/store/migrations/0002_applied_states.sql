-- By which release's record each state service was started last: changed on purpose only.

CREATE TABLE applied_states (
    stack TEXT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
    service TEXT NOT NULL,
    release INTEGER NOT NULL CHECK (release > 0),
    PRIMARY KEY (stack, service)
) STRICT, WITHOUT ROWID;
