"""How a checklist that was asked is printed, as a table, as JSON and as a report file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from berthmaster.cli.output import paint, print_table
from berthmaster.domain.checklist import Verdict

if TYPE_CHECKING:
    from berthmaster.services.run_checklist import Verified


def print_checklist(found: "Verified") -> None:
    """A line for each item, then the verdict."""
    rows = [
        (item.verdict.value, item.item.id, item.item.text, item.evidence) for item in found.answers
    ]
    print_table(("IS", "ITEM", "WHAT", "EVIDENCE"), rows, coloured=0)
    failed = found.count(Verdict.FAILED)
    word = paint("fails", "red", bold=True) if failed else paint("holds", "green", bold=True)
    click.echo(f"{found.release.stack}  {found.release.label} {word}: {counts(found)}")


def counts(found: "Verified") -> str:
    """`18 hold, 2 in part, 0 failed, 4 not asked here`."""
    part = found.count(Verdict.PARTLY)
    return (
        f"{found.count(Verdict.OK)} hold, {part} in part, {found.count(Verdict.FAILED)} failed, "
        f"{found.count(Verdict.SKIPPED)} not asked here"
    )


def checklist_json(found: "Verified") -> dict[str, Any]:
    """The same for machines."""
    return {
        "stack": str(found.release.stack),
        "release": found.release.number,
        "artifact": found.release.artifact,
        "checklist": found.checklist.title,
        "at": found.at,
        "by": found.actor,
        "is_good": not found.count(Verdict.FAILED),
        "is_complete": found.count(Verdict.OK) == len(found.answers),
        "items": [
            {
                "id": item.item.id,
                "text": item.item.text,
                "verdict": item.verdict.value,
                "evidence": item.evidence,
                "seconds": round(item.seconds, 3),
            }
            for item in found.answers
        ],
    }


def write_report(found: "Verified", path: Path) -> None:
    """A page for a record."""
    release = found.release
    lines = [
        f"# {found.checklist.title}",
        "",
        f"{release.stack} {release.label}, artifact {release.artifact[:12]}, asked on "
        f"{found.at:%Y-%m-%d %H:%M} UTC by {found.actor}: {counts(found)}.",
        "",
        "| is | item | what | evidence |",
        "| --- | --- | --- | --- |",
    ]
    for item in found.answers:
        cells = (item.verdict.value, item.item.id, item.item.text, item.evidence)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    path.write_text("\n".join(lines) + "\n")
