"""What runs in an environment, as a file for git and as a report for people; pure.

Deterministic: the same deployment gives the same bytes, so that a record that changed nothing shows
no difference. No value of a setting or a secret is part of either.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Template
from typing import Any, Final

from berthmaster.domain.deployment import Deployment
from berthmaster.domain.judgement import Judgement
from berthmaster.domain.release import Release
from berthmaster.domain.spec import Role
from berthmaster.planner.releasediff import Line

NOTHING: Final = "none"
TEMPLATE: Final = """\
# $title

$stack runs $release since $deployed_at, by $actor ($deployment).

## What was deployed

$facts

## What changed since $previous

$changes

## What proved it

$proof

## How it went

$steps

## Way back

`$way_back`
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Everything a record is made of."""

    release: Release
    deployment: Deployment | None  # None: older than what the store keeps
    verified: tuple[Judgement, ...] = ()  # in any environment, newest first
    approved: tuple[Judgement, ...] = ()
    previous: str = NOTHING  # `r6`
    changes: tuple[Line, ...] = ()
    steps: tuple[str, ...] = ()

    @property
    def at(self) -> datetime | None:
        """When it was deployed: the end of its deployment, to the second."""
        ended = self.deployment.ended_at if self.deployment else None
        found = ended or self.release.created_at
        return found.astimezone(UTC).replace(microsecond=0) if found else None

    @property
    def actor(self) -> str:
        """Who deployed it."""
        return self.deployment.actor if self.deployment else self.release.created_by


def render_record(found: Recorded) -> str:
    """JSON with sorted keys, one fact a line, as git likes it."""
    release = found.release
    facts: dict[str, Any] = {
        "app": release.stack.app,
        "environment": release.stack.environment,
        "stack": str(release.stack),
        "release": release.label,
        "artifact": release.artifact,
        "revision": release.revision,
        "tag": release.tag,
        "images": _images(release),
        "deployment": found.deployment.label if found.deployment else None,
        "deployed_at": found.at.isoformat() if found.at else None,
        "deployed_by": found.actor,
        "verified": [_said(item) for item in found.verified],
        "approved": [_said(item) for item in found.approved],
    }
    return json.dumps(facts, indent=2, sort_keys=True) + "\n"


def _images(release: Release) -> dict[str, dict[str, str]]:
    return {
        item.name: {"image": item.image.reference, "runs_as": item.image.runs_as}
        for item in release.services
        if item.image and item.role is not Role.REPLACED
    }


def _said(item: Judgement) -> dict[str, str | None]:
    return {
        "in": str(item.stack) if item.stack else None,
        "at": item.at.astimezone(UTC).replace(microsecond=0).isoformat(),
        "by": item.actor,
        "deployment": f"d{item.deployment}" if item.deployment else None,
        "why": item.why,
    }


def report_name(found: Recorded) -> str:
    """`2026-11-21-0700-shop-prod-r7.md`, by the time of the deployment in UTC."""
    stamp = f"{found.at:%Y-%m-%d-%H%M}" if found.at else "undated"
    return f"{stamp}-{found.release.stack.project}-{found.release.label}.md"


def render_report(found: Recorded, template: str = TEMPLATE) -> str:
    """Fill a template in: `$name` for the names in `report_values`; others stay as they are."""
    return Template(template).safe_substitute(report_values(found))


def report_values(found: Recorded) -> Mapping[str, str]:
    """What a template may name."""
    release, stack = found.release, found.release.stack
    label = f"r{release.number}"
    return {
        "title": f"{stack} {label}{f', {release.tag}' if release.tag else ''}",
        "stack": str(stack),
        "app": stack.app,
        "environment": stack.environment,
        "release": label,
        "tag": release.tag or NOTHING,
        "revision": release.revision or NOTHING,
        "artifact": release.artifact,
        "actor": found.actor,
        "deployment": found.deployment.label if found.deployment else NOTHING,
        "deployed_at": f"{found.at:%Y-%m-%d %H:%M} UTC" if found.at else NOTHING,
        "previous": found.previous,
        "facts": _facts(release),
        "changes": _listed(f"{one.section}: {one.subject} {one.text}" for one in found.changes),
        "proof": _listed(_proofs(found)),
        "steps": _listed(found.steps),
        "way_back": f"berth rollback {stack}"
        + (f" --to {found.previous}" if found.previous != NOTHING else ""),
    }


def _facts(release: Release) -> str:
    rows = [
        ("artifact", f"`{release.artifact}`"),
        ("revision", f"`{release.revision or NOTHING}`"),
        ("tag", f"`{release.tag or NOTHING}`"),
        *((name, f"`{item['runs_as']}`") for name, item in _images(release).items()),
    ]
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)])


def _proofs(found: Recorded) -> Iterable[str]:
    for item in found.verified:
        by = f", d{item.deployment}" if item.deployment else ""
        yield f"{item.stack}: {item.why} ({item.actor}{by}, {item.at:%Y-%m-%d %H:%M} UTC)"
    for item in found.approved:
        why = f": {item.why}" if item.why else ""
        yield f"approved by {item.actor}{why} ({item.at:%Y-%m-%d %H:%M} UTC)"


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) or NOTHING
