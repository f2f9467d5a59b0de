"""The one tuple of all checkers, in the order in which people read their answers."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from berthmaster.domain import checks
from berthmaster.domain.check import CheckKind
from berthmaster.services.checks import (
    database,
    domains,
    files,
    gateway,
    host,
    images,
    mirror,
    record,
    secrets,
    settings,
    tunnel,
)
from berthmaster.services.checks.facts import Checker


class Needs(IntEnum):
    """What must have been read before a checker can be asked."""

    NOTHING = 0
    SPEC = 1  # berth.yaml
    MODEL = 2  # what Compose rendered


@dataclass(frozen=True, slots=True)
class Asked:
    """A checker, the kinds that it answers, and who asks it.

    With `in_deploy` a deploy asks it too, before anything changes: it must cost little. With
    `of_files` it is about the app's files alone: `berth init` asks it.
    """

    checker: Checker
    kinds: tuple[CheckKind, ...]
    needs: Needs = Needs.MODEL
    in_deploy: bool = False
    of_files: bool = False


CHECKERS: Final[tuple[Asked, ...]] = (
    Asked(files.check_files, (checks.FILES,), of_files=True),
    Asked(files.check_variables, (checks.VARIABLES,), Needs.SPEC, of_files=True),
    Asked(secrets.check_secrets, secrets.KINDS, Needs.SPEC, in_deploy=True, of_files=True),
    Asked(secrets.check_shared, (checks.SHARED,), Needs.SPEC, in_deploy=True),
    Asked(secrets.check_vault, (checks.VAULT,), Needs.NOTHING),
    Asked(files.check_policy, (checks.POLICY,), in_deploy=True, of_files=True),
    Asked(files.check_roles, (checks.ROLE,), in_deploy=True, of_files=True),
    Asked(files.check_tracked, (checks.TRACKED,), Needs.SPEC, in_deploy=True),
    Asked(files.check_versions, (checks.VERSIONS,), in_deploy=True, of_files=True),
    Asked(settings.check_debug, (checks.DEBUG,), in_deploy=True, of_files=True),
    Asked(settings.check_allowed_hosts, (checks.ALLOWED_HOSTS,), in_deploy=True, of_files=True),
    Asked(settings.check_cors, (checks.CORS,), in_deploy=True, of_files=True),
    Asked(settings.check_app_environment, (checks.APP_ENV,), in_deploy=True, of_files=True),
    Asked(settings.check_logging, (checks.LOGGING,), in_deploy=True, of_files=True),
    Asked(settings.check_database_tls, (checks.DATABASE_TLS,), in_deploy=True, of_files=True),
    Asked(gateway.check_entrypoint, (checks.ENTRYPOINT,), Needs.SPEC),
    Asked(gateway.check_entrypoint_port, (checks.ENTRYPOINT_PORT,), Needs.SPEC),
    Asked(gateway.check_hosts, (checks.HOSTS,), Needs.SPEC, in_deploy=True),
    Asked(domains.check_domains, (checks.DOMAINS,), Needs.SPEC, in_deploy=True),
    Asked(gateway.check_gateway, (checks.GATEWAY,), Needs.NOTHING),
    Asked(gateway.check_firewall, (checks.FIREWALL,), Needs.NOTHING),
    Asked(gateway.check_dns, (checks.DNS,), Needs.SPEC),
    Asked(gateway.check_certificate, (checks.CERTIFICATE,), Needs.SPEC),
    Asked(images.check_images, (checks.IMAGES,)),
    Asked(images.check_architecture, (checks.ARCHITECTURE,)),
    Asked(images.check_image_space, (checks.IMAGE_SPACE,)),
    Asked(images.check_healthcheck, (checks.HEALTHCHECK,)),
    Asked(images.check_healthcheck_tool, (checks.HEALTHCHECK_TOOL,)),
    Asked(host.check_docker, (checks.DOCKER,), Needs.NOTHING),
    Asked(host.check_compose, (checks.COMPOSE,), Needs.NOTHING),
    Asked(host.check_disk, (checks.DISK,), Needs.NOTHING),
    Asked(host.check_inodes, (checks.INODES,), Needs.NOTHING),
    Asked(host.check_memory, (checks.MEMORY,), Needs.NOTHING),
    Asked(host.check_addresses, (checks.ADDRESSES,), Needs.NOTHING),
    Asked(host.check_clock, (checks.CLOCK,), Needs.NOTHING),
    Asked(database.check_database_major, (checks.DATABASE_MAJOR,)),
    Asked(database.check_backup, (checks.BACKUP,), Needs.NOTHING),
    Asked(record.check_lease, (checks.LEASE,), Needs.NOTHING),
    Asked(record.check_unfinished, (checks.DEPLOYMENT,), Needs.NOTHING),
    Asked(mirror.check_mirror, (checks.MIRROR,), Needs.SPEC),
    Asked(mirror.check_permit, (checks.PERMIT,), Needs.SPEC),
    Asked(tunnel.check_tunnel, (checks.TUNNEL,), Needs.NOTHING),
)
