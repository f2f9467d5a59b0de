-- A day in which acme was watched every five minutes, had one incident, one slow hour and two deploys: for the browser.
-- And its user is beta's too, so that a login has a choice.
INSERT INTO public.tenants_domain (domain, is_primary, tenant_id)
SELECT 'beta.localhost', false, id FROM public.tenants_client WHERE schema_name = 'beta';
UPDATE beta.auth_user SET password = (SELECT password FROM acme.auth_user WHERE username = 'demo');

SET search_path TO acme;

INSERT INTO monitors_checkresult (endpoint_id, status, latency_ms, checked_at, in_maintenance)
SELECT
    e.id,
    CASE WHEN e.n = 2 AND age BETWEEN 300 AND 330 THEN 'error:503' ELSE '200' END,
    (60 + 45 * e.n + 25 * sin(age / 97.0) + 18 * random()
        + CASE WHEN e.n = 1 AND age BETWEEN 700 AND 760 THEN 160 ELSE 0 END)::int,
    now() - age * interval '1 minute',
    false
FROM (SELECT id, row_number() OVER (ORDER BY name) AS n FROM monitors_endpoint) e, generate_series(1, 1440, 5) AS age;

UPDATE monitors_endpoint
SET interval_minutes = 1440, last_checked_at = now(), last_enqueued_at = now(), last_status = '200',
    last_latency_ms = 60 + 17 * length(name), certificate_expires_at = now() + interval '61 days';

INSERT INTO monitors_incident (endpoint_id, cause, started_at, resolved_at)
SELECT id, 'error:503', now() - interval '330 minutes', now() - interval '298 minutes'
FROM (SELECT id, row_number() OVER (ORDER BY name) AS n FROM monitors_endpoint) e WHERE n = 2;

INSERT INTO monitors_deploymark (name, version, marked_at)
VALUES ('shop', 'v41', now() - interval '770 minutes'), ('shop', 'v42', now() - interval '290 minutes');

INSERT INTO monitors_alertchannel (kind, target, secret, is_enabled, created_at)
VALUES
    ('email', 'oncall@acme.example', '', true, now()),
    ('webhook', 'https://hooks.acme.example/status', 'x', true, now());

INSERT INTO monitors_alert
    (channel_id, incident_id, event, state, attempts, last_error, created_at, next_attempt_at, sent_at)
SELECT c.id, i.id, e.event, 'sent', 1, '', i.started_at + e.after, i.started_at + e.after, i.started_at + e.after
FROM
    monitors_alertchannel c,
    monitors_incident i,
    (VALUES ('down', interval '5 minutes'), ('recovered', interval '32 minutes')) AS e (event, after);

INSERT INTO monitors_maintenancewindow (name, starts_at, ends_at)
VALUES ('Database move', now() + interval '2 days', now() + interval '2 days 1 hour');
