"""Users, roles and what they may, as the statements that make them again.

Those that are there keep their passwords and their rights; only missing ones are made.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from berthmaster.adapters.mysql.server import Server, literal
from berthmaster.domain.errors import OutsideError

_HEX: Final = "/*!80017 SET print_identified_with_as_hex = ON */"  # else hashes are no text
_SERVERS_OWN: Final = ("mysql.", "mariadb.")
_USELESS: Final = "find any matching row"  # its host is a name, and the server resolves none
_ROLE: Final = "role"


async def read(server: Server) -> list[dict[str, Any]]:
    """Each account with `account` (as SQL names it), `create` and `grants`."""
    found = []
    for user, host, kind in await _list(server):
        is_made = user == "root" or (kind == _ROLE and user == "PUBLIC")
        if user.startswith(_SERVERS_OWN) or is_made:
            continue  # every server has them
        name = _name(user, host, kind)
        try:
            create, *grants = await _show(server, name, kind)
        except OutsideError as error:
            if _USELESS not in error.message:
                raise
            continue
        found.append({"account": name, "create": create, "grants": grants})
    return found


async def bring_back(server: Server, known: Sequence[Mapping[str, Any]]) -> str:
    """Make the missing ones; says how many of their rights could not be given.

    A right on a single table needs that table, which comes later under its name.
    """
    there = {_name(*item) for item in await _list(server)}
    missing = [item for item in known if item["account"] not in there]
    for item in missing:
        await server.run(str(item["create"]))
    refused = 0
    for grant in (str(line) for item in missing for line in item["grants"]):
        try:
            await server.run(grant)
        except OutsideError:
            refused += 1
    return f"; {refused} rights of accounts could not be given back" if refused else ""


async def _show(server: Server, name: str, kind: str) -> Sequence[str]:
    grants = f"SHOW GRANTS FOR {name}"
    if kind == _ROLE:
        return (f"CREATE ROLE {name}", *await server.ask(grants))
    first = () if server.is_mariadb else (_HEX,)
    return await server.ask(*first, f"SHOW CREATE USER {name}", grants)


async def _list(server: Server) -> list[tuple[str, str, str]]:
    kind = "if(is_role = 'Y', 'role', 'user')" if server.is_mariadb else "'user'"
    query = f"SELECT user, host, {kind} FROM mysql.user ORDER BY 3, 1, 2"  # noqa: S608
    lines = await server.ask(query)
    return [(user, host, kind) for user, host, kind in (line.split("\t") for line in lines)]


def _name(user: str, host: str, kind: str) -> str:
    return literal(user) if kind == _ROLE else f"{literal(user)}@{literal(host)}"
