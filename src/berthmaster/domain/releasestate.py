"""Where releases are in their lives, for those who need not know what a record holds."""

from enum import StrEnum


class ReleaseState(StrEnum):
    """Where a release is in its life."""

    PREPARED = "prepared"  # recorded, never served
    LIVE = "live"  # takes the requests
    WARM = "warm"  # replaced, still running: a rollback is a switch
    RETIRED = "retired"  # not running, can be started from its record
    FAILED = "failed"  # was refused
    STATE = "state"  # no release: the record of a change of state services, kept while it counts
