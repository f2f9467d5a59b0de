"""Which commands and images are known to consume, to schedule, to serve, to keep data.

Tables and nothing else; `roles.py` decides with them.
"""

import re
from typing import Final

PROXIES: Final = frozenset(
    {
        "caddy",
        "envoy",
        "haproxy",
        "httpd",
        "nginx",
        "nginx-proxy",
        "nginx-proxy-manager",
        "nginx-unprivileged",
        "openresty",
        "traefik",
    }
)

# Where well-known servers keep their data: who mounts one of these keeps data, whoever built it.
DATA_FOLDERS: Final = (
    "/var/lib/postgresql",
    "/var/lib/mysql",
    "/var/lib/mariadb",
    "/var/lib/redis",
    "/var/lib/rabbitmq",
    "/var/lib/clickhouse",
    "/data/db",
    "/bitnami",
    "/usr/share/elasticsearch/data",
    "/usr/share/opensearch/data",
)
DATABASES: Final = frozenset(
    {
        "clickhouse",
        "elasticsearch",
        "kafka",
        "mariadb",
        "memcached",
        "minio",
        "mongo",
        "mongodb",
        "mysql",
        "nats",
        "opensearch",
        "postgis",
        "postgres",
        "postgresql",
        "rabbitmq",
        "redis",
        "timescaledb",
        "valkey",
    }
)
# Ready-made tools of developers: they show data to whoever asks, so no route is proposed to them.
TOOLS: Final = frozenset(
    {
        "adminer",
        "cadvisor",
        "dozzle",
        "flower",
        "kafka-ui",
        "mailhog",
        "mailpit",
        "mongo-express",
        "pgadmin4",
        "phpmyadmin",
        "portainer",
        "portainer-ce",
        "redisinsight",
        "watchtower",
    }
)

# TCP ports that are published but take no HTTP (IANA service names).
OTHER_PORTS: Final = frozenset(
    {21, 22, 25, 53, 465, 587, 993, 1433, 1521, 1883, 3306, 5432, 5672, 6379, 8883}
    | {9092, 11211, 27017}
)

_END = r"(?=\s|$)"
SINGLES: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (rf"\bcelery\b.*\sworker\b.*\s(?:-B|--beat){_END}", "runs `celery worker --beat`"),
        (rf"\bcelery\b.*\sbeat{_END}", "runs `celery beat`"),
        (rf"\brqscheduler\b|\brq\s+cron{_END}", "runs the rq scheduler"),
        (rf"\bsupercronic{_END}", "runs `supercronic`"),
        (rf"(?:^|[\s/])(?:crond?|ofelia|yacron|go-crond){_END}", "runs cron"),
        (r"\bapscheduler\b", "runs APScheduler"),
        (rf"\bschedule:(?:work|run){_END}", "runs the Laravel scheduler"),
        (rf"\bclockwork{_END}", "runs clockwork"),
        (
            rf"\bdjango.*\bqcluster\b|\bmanage\.py\s+qcluster{_END}",
            "runs `qcluster`, which schedules",
        ),
        (rf"\brun_huey\b.*--periodic|\btaskiq\s+scheduler{_END}", "runs a task scheduler"),
    )
)
CONSUMERS: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (rf"\bcelery\b.*\sworker{_END}", "runs `celery worker`"),
        (rf"\brq\s+worker\b|\brqworker{_END}|\brq:worker", "runs `rq worker`"),
        (rf"\bsidekiq{_END}", "runs `sidekiq`"),
        (r"\bhuey_consumer|\brun_huey\b", "runs `huey`"),
        (rf"\bdramatiq{_END}|\brundramatiq\b", "runs `dramatiq`"),
        (rf"(?:^|[\s/])arq{_END}", "runs `arq`"),
        (rf"\btaskiq\s+worker{_END}", "runs `taskiq worker`"),
        (rf"\bprocrastinate\b.*\sworker{_END}", "runs `procrastinate worker`"),
        (rf"\b(?:queue:work|queue:listen|horizon){_END}", "runs the Laravel queue"),
        (rf"\bmessenger:consume{_END}", "runs `messenger:consume`"),
        (r"\b(?:resque|good_job|solid_queue|delayed_job|shoryuken)\b", "runs a Ruby job worker"),
        (rf"\bfaust\b.*\sworker{_END}", "runs `faust worker`"),
        (r"\bgraphile-worker\b|\bbullmq\b", "runs a Node job worker"),
        (rf"\bprocess_tasks{_END}|\brun(?:_)?worker{_END}", "runs a Django task worker"),
    )
)
SERVERS: Final = re.compile(
    r"\b(gunicorn|uvicorn|hypercorn|daphne|granian|uwsgi|waitress-serve|runserver|puma|unicorn|"
    r"next start|rails server|rails s|php-fpm|octane:start|artisan serve|flask run|fastapi run|"
    r"http-server|vite preview|nginx|httpd)\b"
)
ROUTING_LABELS: Final = re.compile(r"traefik\.http\.routers\.|caddy(?:_\d+)?\Z")
PROXY_LABELS: Final = re.compile(r"(traefik|caddy(?:_\d+)?)(?:\.|\Z)")
CONSUMER_NAMES: Final = re.compile(r"(?:^|[_-])(?:workers?|consumer|queue|celery)(?:[_-]|\d|$)")
SINGLE_NAMES: Final = re.compile(r"(?:^|[_-])(?:beat|scheduler|cron|clock|poller)(?:[_-]|\d|$)")
