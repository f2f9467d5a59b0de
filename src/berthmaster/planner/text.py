"""A plan as people read it and as golden tests compare it: like a release note."""

from berthmaster.domain.plan import Plan, Step


def render_plan(plan: Plan) -> str:
    """Print what changes, what is left alone, what it costs, and each step with cause and undo."""
    if plan.is_empty:
        return f"{plan.stack}  nothing to do\n"
    blocks = [
        [_headline(plan)],
        _services(plan),
        _listing("routes", plan.routes),
        _listing("dropped from the Compose files", plan.dropped),
        _listing("written by two releases during the overlap", plan.two_writers),
        _listing(
            "gaps",
            tuple(f"{gap.what}: at most {gap.seconds:.0f} s; {gap.why}" for gap in plan.gaps),
        ),
        _listing("overridden in berth.yaml", plan.overrides),
        _listing("notes", plan.notes),
        _steps(plan),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _headline(plan: Plan) -> str:
    old = f"r{plan.old}" if plan.old is not None else "nothing"
    new = f"r{plan.new}" if plan.new is not None else "nothing"
    change = f"release {old} -> {new}" if old != new else f"release {old}"
    details = "".join(f"  {key} {value}" for key, value in plan.details.items())
    return f"{plan.stack}  {plan.verb}  {change}{details}  (based on {plan.based_on})"


def _services(plan: Plan) -> list[str]:
    if not plan.services:
        return []
    name = max(len(line.name) for line in plan.services)
    role = max(len(line.role) for line in plan.services)
    change = max(len(line.change) for line in plan.services)
    return ["services"] + [
        f"  {line.name:<{name}}  {line.role:<{role}}  {line.change:<{change}}  {line.reason}"
        for line in plan.services
    ]


def _listing(title: str, lines: tuple[str, ...]) -> list[str]:
    return [title, *(f"  {line}" for line in lines)] if lines else []


def _steps(plan: Plan) -> list[str]:
    subject = max(len(step.subject) for step in plan.steps)
    what = max(len(step.what) for step in plan.steps)
    cause = max(len(step.cause) for step in plan.steps)
    lines = ["steps"]
    is_past = False
    for step in plan.steps:
        if step.is_forward_only and not is_past:
            lines.append("  ---- point of no return ----")
            is_past = True
        lines.append(_step(step, (subject, what, cause)))
    return lines


def _step(step: Step, widths: tuple[int, int, int]) -> str:
    subject, what, cause = widths
    undo = step.undo_text if step.is_forward_only else f"undo: {step.undo_text}"
    return (
        f"  #{step.number:<3} {step.subject:<{subject}}  {step.what:<{what}}  "
        f"{step.cause:<{cause}}  {undo}"
    )
