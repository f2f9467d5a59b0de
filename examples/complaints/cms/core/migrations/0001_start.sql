CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email)),
    name text NOT NULL,
    password_hash text NOT NULL,
    role text NOT NULL CHECK (
        role IN ('consumer', 'help_desk_agent', 'support_person', 'manager', 'system_administrator')
    ),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    refresh_digest bytea NOT NULL,
    previous_digest bytea,
    rotated_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_user_id ON sessions (user_id);

CREATE TABLE complaints (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title text NOT NULL,
    body text NOT NULL,
    category text NOT NULL CHECK (category IN ('billing', 'service', 'product', 'other')),
    account_ref text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'filed' CHECK (status IN ('filed', 'assigned', 'resolved', 'reopened')),
    filed_by bigint NOT NULL REFERENCES users,
    assigned_to bigint REFERENCES users,
    filed_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz
);
CREATE INDEX complaints_filed_by ON complaints (filed_by);
CREATE INDEX complaints_unresolved ON complaints (assigned_to) WHERE status <> 'resolved';

CREATE TABLE complaint_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    complaint_id bigint NOT NULL REFERENCES complaints ON DELETE CASCADE,
    actor_id bigint NOT NULL REFERENCES users,
    event text NOT NULL CHECK (event IN ('filed', 'noted', 'assigned', 'resolved', 'reopened')),
    note text NOT NULL DEFAULT '',
    happened_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX complaint_events_complaint_id ON complaint_events (complaint_id);

-- The border of the module `complaints`: reporting reads this and nothing else.
CREATE VIEW complaint_facts AS
SELECT
    complaints.id,
    complaints.category,
    complaints.status,
    complaints.filed_at,
    complaints.resolved_at,
    assignee.name AS assignee,
    (SELECT count(*) FROM complaint_events e WHERE e.complaint_id = complaints.id AND e.event = 'reopened') AS reopenings
FROM complaints
LEFT JOIN users AS assignee ON assignee.id = complaints.assigned_to;
