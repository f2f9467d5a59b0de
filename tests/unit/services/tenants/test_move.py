"""A tenant goes from one server to another, wherever the way is cut."""

import pytest

from berthmaster.domain.errors import (
    DeploymentFailed,
    LeaseHeld,
    NotAllowed,
    NotFound,
    OutsideError,
)
from berthmaster.domain.names import StackId
from berthmaster.services.tenants.move import Move, Phase, carry_over, find_move, finish
from berthmaster.testing.servers import FakeServers, HeldTenant

ACME = StackId("desk", "prod", "acme")
MOVE = Move(ACME, "web1", "web2")
NAME = str(ACME)
CALLS = 7  # of a whole move: two looks, export, import, two looks, and one behind them


def servers(**more: HeldTenant) -> FakeServers:
    return FakeServers({"web1": {NAME: HeldTenant(data="of acme")}, "web2": dict(more)})


def move(made: FakeServers) -> Phase:
    """As the command does it: look, and do what is left."""
    return carry_over(made, find_move(made, MOVE)).phase


def test_a_moved_tenant_serves_there_with_its_data_and_is_closed_here() -> None:
    made = servers()
    assert find_move(made, MOVE).phase is Phase.HERE
    assert move(made) is Phase.ARRIVED
    assert made.tenants["web2"][NAME].data == "of acme"
    assert made.tenants["web1"][NAME].state == "suspended"


def test_nothing_is_removed_before_it_is_confirmed() -> None:
    made = servers()
    with pytest.raises(NotAllowed, match="does not serve on web2 yet"):
        finish(made, find_move(made, MOVE))
    move(made)
    assert finish(made, find_move(made, MOVE)).phase is Phase.DONE
    assert made.tenants["web1"] == {}
    assert made.tenants["web2"][NAME].state == "up"


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("at", range(CALLS + 1))
def test_a_move_that_was_cut_goes_on_and_never_serves_twice(at: int, is_late: bool) -> None:
    made = servers()
    made.lost_at, made.is_late = at, is_late
    try:
        move(made)
    except OutsideError:
        assert [one for one in ("web1", "web2") if serves(made, one)] != ["web1", "web2"]
        assert move(made) is Phase.ARRIVED
    assert made.tenants["web2"][NAME].data == "of acme"
    assert not serves(made, "web1")


def serves(made: FakeServers, server: str) -> bool:
    held = made.tenants[server].get(NAME)
    return held is not None and held.state == "up"


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("at", range(6))
def test_an_end_that_was_cut_goes_on(at: int, is_late: bool) -> None:
    made = servers()
    move(made)
    made.lost_at, made.is_late = len(made.calls) + at, is_late
    try:
        finish(made, find_move(made, MOVE))
    except OutsideError:
        finish(made, find_move(made, MOVE))
    assert (list(made.tenants["web1"]), serves(made, "web2")) == ([], True)


def test_a_tenant_that_the_new_server_refuses_serves_where_it_was() -> None:
    made = servers()
    made.refuses["web2", "import"] = 1
    with pytest.raises(DeploymentFailed, match="web1 serves it again") as caught:
        move(made)
    assert serves(made, "web1")
    assert "tenant forget" in (caught.value.next_command or "")
    made.refuses.clear()
    with pytest.raises(NotAllowed, match="keeps older data"):  # never the half of last time
        move(made)
    made.ask("web2", "tenant", "forget", NAME)
    assert move(made) is Phase.ARRIVED


def test_a_server_that_is_busy_with_it_is_waited_for() -> None:
    made = servers()
    made.refuses["web2", "import"] = LeaseHeld.exit_code
    with pytest.raises(OutsideError, match="web1 keeps it closed"):
        move(made)
    assert not serves(made, "web1")
    made.refuses.clear()
    assert move(made) is Phase.ARRIVED
    assert made.tenants["web2"][NAME].data == "of acme"


def test_an_import_that_goes_on_without_us_is_restored_there() -> None:
    made = servers()
    made.ask("web1", "tenant", "show", NAME, "--json")
    move(made)
    held = made.tenants["web2"][NAME]
    backup = made.tenants["web1"][NAME].backup
    made.tenants["web2"][NAME] = HeldTenant("restoring", "", backup, held.data)
    assert find_move(made, MOVE).phase is Phase.ARRIVING
    assert move(made) is Phase.ARRIVED
    assert made.tenants["web2"][NAME].data == "of acme"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (HeldTenant("suspended"), None, "is suspended on web1"),
        (HeldTenant("removed", backup="final-1"), None, "is removed on web1"),
        (HeldTenant("up"), HeldTenant("up"), "is known on web2 too"),
        (HeldTenant("up"), HeldTenant("removed", backup="final-1"), "keeps older data"),
        (HeldTenant("suspended", backup="export-1"), HeldTenant("removed"), "keeps older data"),
    ],
)
def test_what_is_no_move_is_refused_before_anything_is_done(
    old: HeldTenant, new: HeldTenant | None, why: str
) -> None:
    made = FakeServers({"web1": {NAME: old}, "web2": {NAME: new} if new else {}})
    before = {name: dict(held) for name, held in made.tenants.items()}
    with pytest.raises(NotAllowed, match=why):
        move(made)
    assert made.tenants == before


def test_who_is_nowhere_and_who_stays_are_told() -> None:
    made = FakeServers({"web1": {}, "web2": {}})
    with pytest.raises(NotFound, match="web1 has no tenant"):
        move(made)
    with pytest.raises(NotAllowed, match="the same"):
        find_move(made, Move(ACME, "web1", "web1"))
