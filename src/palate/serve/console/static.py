"""The stylesheet and the script, which come with the package."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

KINDS = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}


async def static(request: Request) -> Response:
    """One of the files of KINDS; anything else is not there."""
    name = request.path_params["name"]
    if name not in KINDS:
        return Response("not found", 404, media_type="text/plain")
    content = (files("palate.serve.console") / "static" / name).read_bytes()
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=600"}
    return Response(content, headers=headers, media_type=KINDS[name])
