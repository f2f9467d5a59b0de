"""Who may do what: the one table. Routes name a permission, never a role."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody is."""

    CONSUMER = "consumer"  # files complaints and sees their own
    HELP_DESK_AGENT = "help_desk_agent"  # takes them in and hands them out
    SUPPORT_PERSON = "support_person"  # resolves them
    MANAGER = "manager"  # all of it, and the figures
    SYSTEM_ADMINISTRATOR = "system_administrator"  # people, not complaints


class Permission(StrEnum):
    """What a route asks for."""

    BE_SIGNED_IN = "be signed in"
    FILE = "file a complaint"
    READ = "read complaints"  # a consumer: their own
    READ_EVERYBODYS = "read everybody's complaints"
    NOTE = "write a note"
    ASSIGN = "assign a complaint"
    RESOLVE = "resolve a complaint"
    REOPEN = "reopen a complaint"
    REPORT = "read reports"
    ADMINISTER = "administer people"


_C, _H, _S, _M, _A = Role

GRANTS: Final[dict[Permission, frozenset[Role]]] = {
    Permission.BE_SIGNED_IN: frozenset(Role),
    Permission.FILE: frozenset({_C, _H}),
    Permission.READ: frozenset({_C, _H, _S, _M}),
    Permission.READ_EVERYBODYS: frozenset({_H, _S, _M}),
    Permission.NOTE: frozenset({_C, _H, _S, _M}),
    Permission.ASSIGN: frozenset({_H, _M}),
    Permission.RESOLVE: frozenset({_S, _M}),
    Permission.REOPEN: frozenset({_C, _H, _M}),
    Permission.REPORT: frozenset({_M, _A}),
    Permission.ADMINISTER: frozenset({_A}),
}


def is_granted(role: Role, permission: Permission) -> bool:
    """Whether the table says so."""
    return role in GRANTS[permission]
