"""Shows a plan while it is carried out: live on a terminal, one line for each step elsewhere.

Everything goes to standard error. Called from the executor, so nothing here raises or waits: a
terminal that is lost, or a pipe whose reader went, must not stop a plan half way.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TextIO

from berthmaster.domain.plan import Plan, Step
from berthmaster.ports.progress import Progress

if TYPE_CHECKING:
    from rich.live import Live

MEGABYTE: Final = 1_000_000
REFRESH_PER_SECOND: Final = 10


class Told(Progress):
    """A progress that can be closed: a live view must give the terminal back."""

    def close(self) -> None:
        """Leave the log on the screen."""


def choose_progress(*, is_json: bool) -> Told:
    """Live where a person looks, lines where a machine or a log does."""
    from berthmaster.cli.output import has_colour

    is_live = has_colour(sys.stderr) and not is_json
    return Unfailing(LiveProgress() if is_live else PlainProgress(sys.stderr))


class Unfailing(Told):
    """Tells another as long as that works, and nobody from then on."""

    def __init__(self, inner: Told) -> None:
        self._inner = inner
        self._is_lost = False

    def plan_started(self, plan: Plan, deployment: str) -> None:
        self._tell(lambda: self._inner.plan_started(plan, deployment))

    def step_started(self, step: Step, *, is_undo: bool) -> None:
        self._tell(lambda: self._inner.step_started(step, is_undo=is_undo))

    def step_ended(self, step: Step, *, is_undo: bool, seconds: float, detail: str) -> None:
        self._tell(
            lambda: self._inner.step_ended(step, is_undo=is_undo, seconds=seconds, detail=detail)
        )

    def step_failed(self, step: Step, *, is_undo: bool, seconds: float, error: str) -> None:
        self._tell(
            lambda: self._inner.step_failed(step, is_undo=is_undo, seconds=seconds, error=error)
        )

    def pulled(self, image: str, done_bytes: int, total_bytes: int) -> None:
        self._tell(lambda: self._inner.pulled(image, done_bytes, total_bytes))

    def note(self, text: str) -> None:
        self._tell(lambda: self._inner.note(text))

    def close(self) -> None:
        self._is_lost = False  # standard streams are given back even then
        self._tell(self._inner.close)

    def _tell(self, telling: Callable[[], None]) -> None:
        """A lost terminal answers with EIO; rich ends the program when a pipe has no reader."""
        if self._is_lost:
            return
        try:
            telling()
        except (OSError, ValueError, SystemExit, _terminal_error()):
            self._is_lost = True


def _terminal_error() -> type[Exception]:
    import termios

    return termios.error


class PlainProgress(Told):
    """One line when a step ends; the start is told only for what takes its time."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._widths = (0, 0)

    def plan_started(self, plan: Plan, deployment: str) -> None:
        self._widths = _widths(plan)
        self._print(headline(plan, deployment))

    def step_started(self, step: Step, *, is_undo: bool) -> None:
        pass

    def step_ended(self, step: Step, *, is_undo: bool, seconds: float, detail: str) -> None:
        note = f" ({detail})" if detail else ""
        self._print(f"{self._head(step, is_undo)} ... ok {seconds:.1f} s{note}")

    def step_failed(self, step: Step, *, is_undo: bool, seconds: float, error: str) -> None:
        first = error.splitlines()[0] if error else ""
        self._print(f"{self._head(step, is_undo)} ... FAILED after {seconds:.1f} s: {first}")

    def pulled(self, image: str, done_bytes: int, total_bytes: int) -> None:
        pass

    def note(self, text: str) -> None:
        self._print(f"  {text}")

    def _head(self, step: Step, is_undo: bool) -> str:
        subject, what = self._widths
        number, words = f"#{step.number}", words_of(step, is_undo)
        return f"  {number:<4} {step.subject:<{subject}}  {words:<{what}}"

    def _print(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


class LiveProgress(Told):
    """Steps under way with a spinner below the log of those that ended."""

    def __init__(self, console: Any = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True, highlight=False, soft_wrap=False)
        self._live: Live | None = None
        self._active: dict[int, tuple[Step, bool, float]] = {}
        self._pulls: dict[str, tuple[int, int]] = {}
        self._widths = (0, 0)
        self._echo: Callable[[], None] = _nothing

    def plan_started(self, plan: Plan, deployment: str) -> None:
        from rich.live import Live

        self._widths = _widths(plan)
        self._console.print(f"[bold]{_escaped(headline(plan, deployment))}[/bold]")
        if self._live is None:
            self._live = Live(
                console=self._console,
                get_renderable=self._render,
                refresh_per_second=REFRESH_PER_SECOND,
                transient=True,
            )
            self._echo = _quiet_terminal()
            self._live.start()

    def step_started(self, step: Step, *, is_undo: bool) -> None:
        self._active[step.number] = (step, is_undo, self._now())

    def step_ended(self, step: Step, *, is_undo: bool, seconds: float, detail: str) -> None:
        mark = "[yellow]↩[/yellow]" if is_undo else "[green]✔[/green]"
        self._end(step, is_undo, mark, f"{seconds:>6.1f} s", detail, "bright_black")

    def step_failed(self, step: Step, *, is_undo: bool, seconds: float, error: str) -> None:
        first = error.splitlines()[0] if error else ""
        self._end(step, is_undo, "[red]✘[/red]", f"{seconds:>6.1f} s", first, "red")

    def pulled(self, image: str, done_bytes: int, total_bytes: int) -> None:
        self._pulls[image] = (done_bytes, total_bytes)

    def note(self, text: str) -> None:
        self._console.print(f"  [cyan]{_escaped(text)}[/cyan]")

    def close(self) -> None:
        self._active.clear()
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._echo()

    def _end(
        self, step: Step, is_undo: bool, mark: str, seconds: str, detail: str, colour: str
    ) -> None:
        self._active.pop(step.number, None)
        if not self._active:
            self._pulls.clear()
        line = self._line(step, is_undo, mark, seconds, detail, colour)
        self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)

    def _line(
        self, step: Step, is_undo: bool, mark: str, seconds: str, detail: str, colour: str
    ) -> str:
        subject, what = self._widths
        words = f"{words_of(step, is_undo):<{what}}"
        name = f"{step.subject:<{subject}}"
        body = f"[yellow]{_escaped(words)}[/yellow]" if is_undo else _escaped(words)
        tail = f"  [{colour}]{_escaped(detail)}[/{colour}]" if detail else ""
        number = f"[bright_black]#{step.number:<3}[/bright_black]"
        return f"  {mark} {number} {_escaped(name)}  {body}  {seconds}{tail}"

    def _render(self) -> Any:
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.text import Text

        rows: list[Any] = []
        for step, is_undo, started in list(self._active.values()):
            seconds = f"{self._now() - started:>6.1f} s"
            line = self._line(step, is_undo, "", seconds, "", "bright_black")
            text = Text.from_markup(line.removeprefix("   "))
            text.no_wrap, text.overflow = True, "ellipsis"
            rows.append(Spinner("dots", text, style="yellow" if is_undo else "cyan"))
        rows += [Text(f"       {line}", style="bright_black") for line in self._pull_lines()]
        return _indented(Group(*rows))

    def _pull_lines(self) -> list[str]:
        return [
            f"{_short(image)}  {done / MEGABYTE:.0f} of {total / MEGABYTE:.0f} MB"
            for image, (done, total) in self._pulls.items()
            if total and done < total
        ]

    def _now(self) -> float:
        now: Callable[[], float] = self._console.get_time
        return now()


def _nothing() -> None:
    pass


def _quiet_terminal() -> Callable[[], None]:
    """Keep the terminal from printing `^C`, which would break the view; returns what undoes it."""
    if not sys.stdin.isatty():
        return _nothing
    import termios

    before = termios.tcgetattr(sys.stdin)
    changed = termios.tcgetattr(sys.stdin)
    changed[3] &= ~termios.ECHOCTL
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, changed)
    return lambda: termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def headline(plan: Plan, deployment: str) -> str:
    """`shop@prod  deploy r6 -> r7  (d41, 14 steps)`."""
    old = f"r{plan.old}" if plan.old is not None else "nothing"
    new = f"r{plan.new}" if plan.new is not None else "nothing"
    change = f" {old} -> {new}" if old != new else f" {old}"
    if plan.old is None and plan.new is None:
        change = ""
    return f"{plan.stack}  {plan.verb}{change}  ({deployment}, {len(plan.steps)} steps)"


def words_of(step: Step, is_undo: bool) -> str:
    """What a step does, or what its undo does."""
    return f"undo: {step.undo_text}" if is_undo else step.what


def _widths(plan: Plan) -> tuple[int, int]:
    subject = max((len(step.subject) for step in plan.steps), default=0)
    what = max((len(step.what) for step in plan.steps), default=0)
    return min(subject, 30), min(what, 40)


def _indented(renderable: Any) -> Any:
    from rich.padding import Padding

    return Padding(renderable, (0, 0, 0, 2))


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _short(image: str) -> str:
    name, _, digest = image.partition("@sha256:")
    return f"{name}@{digest[:12]}" if digest else name
