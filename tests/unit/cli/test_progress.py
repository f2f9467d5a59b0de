"""How a plan is shown while it is carried out."""

import errno
import io

import pytest
from rich.console import Console
from tests.builders import observed, release

from berthmaster.cli.progress import LiveProgress, PlainProgress, Told, Unfailing
from berthmaster.domain.plan import Plan
from berthmaster.planner.deploy import plan_deploy


@pytest.fixture
def plan() -> Plan:
    return plan_deploy(release(7), observed(release(6)), slots=(2,))


def play(progress: Told, plan: Plan) -> None:
    """A step that ends, one that fails, and the undo of the first."""
    first, second = plan.steps[0], plan.steps[1]
    progress.plan_started(plan, "d41")
    progress.step_started(first, is_undo=False)
    progress.pulled("registry.test/shop@sha256:" + "0" * 64, 3_000_000, 9_000_000)
    progress.step_ended(first, is_undo=False, seconds=1.25, detail="3 layers")
    progress.step_started(second, is_undo=False)
    progress.step_failed(second, is_undo=False, seconds=0.4, error="no [red]space[/red]\nmore")
    progress.step_started(first, is_undo=True)
    progress.step_ended(first, is_undo=True, seconds=0.1, detail="")
    progress.note("done")
    progress.close()


def test_without_a_terminal_each_step_is_one_line(plan: Plan) -> None:
    stream = io.StringIO()
    play(PlainProgress(stream), plan)
    head, first, second, undo, note = stream.getvalue().splitlines()
    assert head.startswith("shop@prod  deploy r6 -> r7  (d41, ")
    assert first.startswith("  #1   ")
    assert first.endswith("... ok 1.2 s (3 layers)")
    assert second.endswith("... FAILED after 0.4 s: no [red]space[/red]")
    assert "undo: " in undo
    assert note == "  done"


def test_on_a_terminal_the_log_stays_and_text_is_never_read_as_markup(plan: Plan) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=160, color_system=None)
    play(LiveProgress(console), plan)
    text = stream.getvalue()
    assert text.count("✔") == text.count("✘") == text.count("↩") == 1
    assert "no [red]space[/red]" in text


def test_a_closed_view_can_be_closed_again(plan: Plan) -> None:
    progress = LiveProgress(Console(file=io.StringIO(), force_terminal=True))
    progress.plan_started(plan, "d41")
    progress.close()
    progress.close()


class Hung(io.StringIO):
    """A terminal that was closed."""

    def write(self, _: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


class Unread(io.StringIO):
    """A pipe whose reader went."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [Hung(), Unread()])
@pytest.mark.parametrize("is_live", [True, False])
def test_a_lost_terminal_does_not_stop_a_plan(
    plan: Plan, stream: io.StringIO, is_live: bool
) -> None:
    console = Console(file=stream, force_terminal=True)
    console.on_broken_pipe = quit_at_once  # type: ignore[method-assign]
    play(Unfailing(LiveProgress(console) if is_live else PlainProgress(stream)), plan)


def quit_at_once() -> None:
    """What rich does, but for closing the standard output of the tests."""
    raise SystemExit(1)


def test_what_can_be_told_is_told(plan: Plan) -> None:
    stream = io.StringIO()
    play(Unfailing(PlainProgress(stream)), plan)
    assert len(stream.getvalue().splitlines()) == 5
