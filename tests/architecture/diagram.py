"""The states of a deployment as a Mermaid diagram, printed from the table that the engine obeys."""

from berthmaster.domain.deployment import TERMINAL, TRANSITIONS, DeploymentState


def render_states() -> str:
    """A fenced Mermaid block; order is that of the states, so that the text is stable."""
    order = list(DeploymentState)
    pairs = sorted(TRANSITIONS, key=lambda pair: (order.index(pair[0]), order.index(pair[1])))
    lines = [f"    [*] --> {order[0]}"]
    lines += [f"    {old} --> {new}" for old, new in pairs]
    lines += [f"    {state} --> [*]" for state in order if state in TERMINAL]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])
