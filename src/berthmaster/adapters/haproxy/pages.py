"""The pages that the router answers itself; small, self-contained, no name of any app."""

from typing import Final

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark }}
  body {{ margin: 0; min-height: 100vh; display: grid; place-items: center;
         font: 1.1rem/1.6 system-ui, sans-serif }}
  main {{ max-width: 32rem; padding: 2rem }}
  h1 {{ font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5em }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
</main>
</body>
</html>
"""


def render_pages() -> dict[str, str]:
    """Page by name; each fits the router's buffer of 16 KiB."""
    return {
        "maintenance": _PAGE.format(
            title="We are working on this site",
            text="It is closed for maintenance. Please try again in a few minutes.",
        ),
        "unavailable": _PAGE.format(
            title="This site is not running",
            text="Nothing is published here yet, or it was taken down. Please try again later.",
        ),
        "busy": _PAGE.format(
            title="This site cannot answer now",
            text="It is busy, or it has just started. Please try again in a few seconds.",
        ),
    }
