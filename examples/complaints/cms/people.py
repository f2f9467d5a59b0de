"""The first administrator, and people and complaints for a trial."""

from typing import Any, Final

from psycopg import Connection
from psycopg.rows import dict_row

from cms.auth import accounts, passwords
from cms.core import schema
from cms.core.roles import Role
from cms.core.settings import Settings

SEEDED: Final = (
    ("Cora Consumer", Role.CONSUMER),
    ("Hugo Helpdesk", Role.HELP_DESK_AGENT),
    ("Sara Support", Role.SUPPORT_PERSON),
    ("Mona Manager", Role.MANAGER),
)
COMPLAINTS: Final = (
    ("Charged twice in October", "billing", "ACC-1042"),
    ("Line drops every evening", "service", "1043"),
    ("Router arrived broken", "product", ""),
)


def make_first(settings: Settings) -> bool:
    """Make the administrator that the settings name, when the instance has nobody."""
    if not settings.admin_email:
        return False
    with _database(settings) as database:
        return accounts.make_first(database, settings.admin_email, settings.admin_password)


def seed(settings: Settings, *, bad_account: bool) -> str:
    """Add who and what is missing. Everybody's password is the administrator's."""
    hashed = passwords.hash_password(settings.admin_password)
    with _database(settings) as database:
        for name, role in SEEDED:
            email = f"{name.partition(' ')[0].lower()}@example.com"
            database.execute(
                "INSERT INTO users (email, name, password_hash, role) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [email, name, hashed, role],
            )
        wanted = [*COMPLAINTS, *([("Nobody answers my letters", "other", "see letter")] if bad_account else [])]
        made = sum(_complaint(database, *one) for one in wanted)
    return f"seed: {len(SEEDED)} people (cora@example.com, ...), {made} new complaints"


def _complaint(database: Connection[Any], title: str, category: str, account: str) -> int:
    return database.execute(
        """WITH made AS (
            INSERT INTO complaints (title, body, category, account_ref, filed_by)
            SELECT %(title)s, 'Please put this right.', %(category)s, %(account)s, id FROM users
            WHERE email = 'cora@example.com' AND NOT EXISTS (SELECT FROM complaints WHERE title = %(title)s)
            RETURNING id, filed_by
        ) INSERT INTO complaint_events (complaint_id, actor_id, event) SELECT id, filed_by, 'filed' FROM made""",
        {"title": title, "category": category, "account": account},
    ).rowcount


def _database(settings: Settings) -> Connection[Any]:
    connection = schema.connect(settings)
    connection.row_factory = dict_row
    return connection
