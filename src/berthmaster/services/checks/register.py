"""The one tuple of all checkers, in the order in which people read their answers."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from berthmaster.domain import checks
from berthmaster.domain.check import CheckKind
from berthmaster.services.checks import files, gateway, host, images, record
from berthmaster.services.checks.facts import Checker


class Needs(IntEnum):
    """What must have been read before a checker can be asked."""

    NOTHING = 0
    SPEC = 1  # berth.yaml
    MODEL = 2  # what Compose rendered


@dataclass(frozen=True, slots=True)
class Asked:
    """A checker, the kinds that it answers, and who asks it.

    With `in_deploy` a deploy asks it too, before anything changes: it must cost little.
    """

    checker: Checker
    kinds: tuple[CheckKind, ...]
    needs: Needs = Needs.MODEL
    in_deploy: bool = False


CHECKERS: Final[tuple[Asked, ...]] = (
    Asked(files.check_files, (checks.FILES,)),
    Asked(files.check_variables, (checks.VARIABLES,), Needs.SPEC),
    Asked(files.check_policy, (checks.POLICY,), in_deploy=True),
    Asked(files.check_roles, (checks.ROLE,), in_deploy=True),
    Asked(gateway.check_entrypoint, (checks.ENTRYPOINT,)),
    Asked(gateway.check_gateway, (checks.GATEWAY,), Needs.NOTHING),
    Asked(gateway.check_firewall, (checks.FIREWALL,), Needs.NOTHING),
    Asked(images.check_images, (checks.IMAGES,)),
    Asked(host.check_docker, (checks.DOCKER,), Needs.NOTHING),
    Asked(host.check_compose, (checks.COMPOSE,), Needs.NOTHING),
    Asked(host.check_disk, (checks.DISK,), Needs.NOTHING),
    Asked(host.check_addresses, (checks.ADDRESSES,), Needs.NOTHING),
    Asked(record.check_lease, (checks.LEASE,), Needs.NOTHING),
    Asked(record.check_unfinished, (checks.DEPLOYMENT,), Needs.NOTHING),
)
