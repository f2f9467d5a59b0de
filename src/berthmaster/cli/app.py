"""Commands about an app's files: init, build."""

import subprocess
from typing import TYPE_CHECKING

import click

from berthmaster.cli.invocation import BerthCommand, Invocation, stack_argument
from berthmaster.cli.output import print_json
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.names import StackId, check_name

if TYPE_CHECKING:
    from berthmaster.services.build_images import Built
    from berthmaster.services.init_app import Question


@click.command(cls=BerthCommand)
@click.option("--force", is_flag=True, help="Write over an existing berth.yaml.")
@click.pass_obj
def init(invocation: Invocation, force: bool) -> None:
    """Write a first berth.yaml from the Compose files here."""
    from berthmaster.services.init_app import init_app

    folder = invocation.folder.resolve()
    made = invocation.run(lambda outside: init_app(outside, folder, is_forced=force))
    if invocation.is_json:
        asked = [
            {"question": item.what, "answer": item.answer, "others": item.others}
            for item in made.questions
        ]
        print_json({"file": str(folder / "berth.yaml"), "text": made.text, "questions": asked})
        return
    click.echo(made.text, nl=False)
    click.echo(f"\nwritten to {folder / 'berth.yaml'}", err=True)
    if made.questions:
        _ask(made.questions)
    else:
        click.echo("  next: berth check --all", err=True)


def _ask(questions: "tuple[Question, ...]") -> None:
    """The first question; the others wait until it is answered."""
    first, *rest = questions
    more = f" (and {first.others} more like it)" if first.others else ""
    click.echo(f"  question: {first.what}{more}", err=True)
    click.echo(f"  answer: {first.answer}", err=True)
    later = f"; it asks {len(rest)} more" if rest else ""
    click.echo(f"  next: berth check prod{later}", err=True)


@click.command(cls=BerthCommand)
@stack_argument
@click.option("--tag", metavar="T", help="Tag of the images; by default the commit.")
@click.option("--push", "is_push", is_flag=True, help="Push them to their registry.")
@click.pass_obj
def build(invocation: Invocation, stack: str | None, tag: str | None, is_push: bool) -> None:
    """Build an environment's images, tagged with the commit."""
    from berthmaster.services.build_images import build_images
    from berthmaster.services.render_model import ReleaseRequest

    wanted = invocation.declared_stack(stack)
    given = None if tag is None else check_name("tag", tag)
    request = ReleaseRequest(wanted, invocation.folder_of(wanted), given, command="berth build")
    built = invocation.run(lambda outside: build_images(outside, request))
    if is_push:
        for image in built.images:
            _push(invocation, image)
    _print_built(invocation, wanted, built)


def _print_built(invocation: Invocation, stack: StackId, built: "Built") -> None:
    if invocation.is_json:
        print_json({"stack": str(stack), "tag": built.tag, "images": built.images})
        return
    for image in built.images:
        click.echo(image)
    click.echo(f"  next: berth deploy {stack} --tag {built.tag}", err=True)


def _push(invocation: Invocation, image: str) -> None:
    click.echo(f"pushing {image}", err=True)
    ended = subprocess.run(
        ["docker", "--host", invocation.settings.docker_host, "push", "--quiet", image],
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if ended.returncode != 0:
        raise OutsideError(
            f"{image} could not be pushed", subject=image, next_command="docker login"
        )
