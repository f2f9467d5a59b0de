"""What the planner is told about the world; gathered by `services/observe.py`, compared by hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from berthmaster.domain import codec
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.routing import HostClaim


@dataclass(frozen=True, slots=True)
class Observed:
    """One stack as it is: records, containers, networks, volumes, routes."""

    stack: StackId
    live: Release | None = None
    warm: tuple[Release, ...] = ()  # replaced, still running
    containers: frozenset[str] = frozenset()  # that exist
    running: frozenset[str] = frozenset()  # that run
    networks: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()  # `runs_as` that the engine already has
    claims: frozenset[HostClaim] = frozenset()  # hosts of this stack in the router
    tenant_hosts: frozenset[str] = frozenset()  # of tenants in it: theirs through every release
    attached: frozenset[str] = frozenset()  # release keys the router holds
    is_in_maintenance: bool = False
    has_dumpable_database: bool = False
    applied: Mapping[str, Release] = field(default_factory=dict)
    # state service -> the record that it was started by; without one that is kept, the live release
    recorded: frozenset[str] = frozenset()  # state services of which the store knows the record

    # why visitors may reach the adopted release, live or warm, past the gateway
    bypass: tuple[str, ...] = ()

    # databases that now have another password than the release about to run
    other_passwords: frozenset[str] = frozenset()

    def generation(self) -> str:
        """Hash of what a plan rests on; apply refuses a plan whose generation is old.

        Running states are left out: a container that restarts does not make a plan stale.
        """
        facts = {
            "live": self.live.number if self.live else None,
            "warm": sorted(release.number for release in self.warm),
            "networks": sorted(self.networks),
            "volumes": sorted(self.volumes),
            "state": {name: item.number for name, item in sorted(self.applied.items())},
            "claims": sorted(codec.encode(claim)["host"] for claim in self.claims),
            "maintenance": self.is_in_maintenance,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
