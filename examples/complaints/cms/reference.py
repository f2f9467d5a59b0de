"""`/docs`: the API as this process has it, with who may use each route. Needs no script from another site."""

from collections.abc import Iterator
from html import escape

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from cms.auth.guard import permission_of
from cms.core.roles import GRANTS, Permission

router = APIRouter()


def permission_or_none(route: APIRoute) -> Permission | None:
    """What a route asks for; None when everybody may use it."""
    asked = [permission_of(one.call) for one in route.dependant.dependencies]
    return next((found for found in asked if found), None)


def routes_of(app: FastAPI) -> Iterator[APIRoute]:
    """Every route of the API."""
    return (route for route in app.state.routes if isinstance(route, APIRoute) and route.include_in_schema)


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """The page."""
    rows = "".join(map(_row, routes_of(request.app)))
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<title>API of Complaints</title><link rel="stylesheet" href="/static/style.css"><main class="wide">'
        "<h1>API</h1><p>The same as <a href='/openapi.json'>openapi.json</a>, made from the running code.</p>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Routes"><table><thead><tr><th scope="col">Route'
        '<th scope="col">What it does<th scope="col">Who</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></main></html>"
    )


def _row(route: APIRoute) -> str:
    asked = permission_or_none(route)
    who = ", ".join(role.replace("_", " ") for role in GRANTS[asked]) if asked else "everybody"
    if asked is Permission.BE_SIGNED_IN:
        who = "everybody who is signed in"
    text = (route.description or "").partition("\n")[0]
    return (
        f"<tr><th scope='row'><code>{' '.join(sorted(route.methods or ()))} {escape(route.path)}</code>"
        f"<td>{escape(text)}<td>{escape(who)}</tr>"
    )
