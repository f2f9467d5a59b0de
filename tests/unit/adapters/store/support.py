"""What the store's tests share: a clock that they set, values, strategies for any value."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st
from tests import builders

from berthmaster.adapters.store import SqliteStore
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan, Step, StopContainers
from berthmaster.domain.release import Release
from berthmaster.ports.clock import Clock

SHOP: Final = StackId("shop", "prod")
BLOCK: Final = "10.201.0.0/24"  # eight /27


@dataclass
class SetClock:
    """A clock that moves when a test says so; wall and monotonic time apart."""

    wall: datetime = field(default=datetime(2026, 11, 21, 2, 0, tzinfo=UTC))
    seconds: float = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)


def make_store(path: Path | str, clock: Clock | None = None, **more: Any) -> SqliteStore:
    """A store with a block of eight subnets."""
    return SqliteStore(path, block=more.pop("block", BLOCK), clock=clock or SetClock(), **more)


def add_releases(store: SqliteStore, *numbers: int) -> None:
    """Add shop@prod and releases of it."""
    store.add_stack(SHOP, "/srv/shop")
    for number in numbers:
        store.add_release(builders.release(number))


def plan(stack: StackId = SHOP) -> Plan:
    """A plan of one step."""
    step = Step(1, (), "web r7", "stop", "a test", StopContainers(("web",), 10.0))
    return Plan(stack, "deploy", None, 7, "hash", (step,))


_TEXT: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_JSON: Final = st.dictionaries(
    _TEXT, _TEXT | st.integers() | st.lists(_TEXT, max_size=2), max_size=2
)
_NUMBERS: Final = st.floats(allow_nan=False, allow_infinity=False)

st.register_type_strategy(StackId, st.sampled_from([SHOP, StackId("shop", "prod", "acme")]))
st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
st.register_type_strategy(float, _NUMBERS)
st.register_type_strategy(str, _TEXT)

ANY_RELEASE: Final = st.builds(
    Release,
    stack=st.just(SHOP),
    number=st.integers(1, 10_000),
    created_at=st.datetimes(timezones=st.just(UTC)),
    model=_JSON,
    state_model=_JSON,
)
ANY_PLAN: Final = st.from_type(Plan)
