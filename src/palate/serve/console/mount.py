"""The console's routes over a service: who may see which page is decided here, once, before any page is made."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from secrets import token_urlsafe
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from palate.errors import PalateError
from palate.serve.console.pages import events, experiments, items, keys, overview, settings, sign, trying, versions
from palate.serve.console.session import FORM, Sessions, permitted, set_cookie
from palate.serve.console.static import static
from palate.serve.console.texts import preferred
from palate.serve.console.visit import Page, Versions, Visit
from palate.serve.refusals import STATUS
from palate.serve.service import Service

PLACE = "/console"
FIELDS = 100  # of a form
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def pages(sessions: Sessions) -> Sequence[Page]:
    """Every page and form of the console, each with the role that it takes."""
    return (
        *sign.pages(sessions),
        *overview.PAGES,
        *trying.PAGES,
        *items.PAGES,
        *versions.PAGES,
        *experiments.PAGES,
        *events.PAGES,
        *settings.PAGES,
        *keys.PAGES,
    )


def console_routes(service: Service, registry: Versions | None = None) -> Mount:
    """What an application serves under /console. registry: where there is one, its versions can be put in force."""
    sessions = Sessions()
    routes = [
        Route(page.path, _answering(page, service, registry, sessions), methods=[page.method])
        for page in (*pages(sessions), Page("/{rest:path}", _missing, ""))
    ]
    return Mount(PLACE, routes=[Route("/static/{name}", static), *routes])


def _answering(
    page: Page, service: Service, registry: Versions | None, sessions: Sessions
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        request.scope["route"] = replace(page, path=PLACE + page.path)  # by which requests are counted
        session = sessions.of(request)
        key = service.keys.named(session.key_id) if session else None
        csrf = session.csrf if session and key else request.cookies.get(FORM) or token_urlsafe(24)
        sent = await _form(request) if page.method == "POST" else {}
        visit = Visit(request, service, registry, key, preferred(request), csrf, sent)
        if key is not None:
            request.scope["key_id"] = key.key_id
        response = await run_in_threadpool(_gate, page, visit)
        if key is None and visit.csrf != request.cookies.get(FORM):
            set_cookie(request, response, FORM, visit.csrf)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return answer


def _gate(page: Page, visit: Visit) -> Response:
    """The page, where who asks may have it and a form is one of ours."""
    if page.method == "POST":
        expected = visit.csrf if visit.key or visit.request.cookies.get(FORM) else ""
        if not permitted(visit.request, visit.form.get("csrf", ""), expected):
            return visit.sorry(403, visit.t("error.csrf"))
    if page.role and visit.key is None:
        return _sign_in_first(page, visit)
    if page.role and not visit.may(page.role):
        return visit.sorry(403, visit.t("error.role", role=visit.t(f"role.{page.role}")))
    if page.role and not visit.service.ready:
        return visit.sorry(503, visit.t("error.starting"))
    try:
        return page.answer(visit)
    except PalateError as error:
        status = next((STATUS[kind][0] for kind in type(error).__mro__ if kind in STATUS), 500)
        return visit.sorry(status, str(error))


def _sign_in_first(page: Page, visit: Visit) -> Response:
    if page.method == "POST" or page.path == events.ROWS:
        return visit.sorry(401, visit.t("error.signed_out"))
    return RedirectResponse(visit.at("/sign-in", back=visit.here), 303)


def _missing(visit: Visit) -> Response:
    return visit.sorry(404, visit.t("error.missing"))


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form as browsers send it; nothing where it is sent otherwise."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        return {}
    try:
        return dict(parse_qsl((await request.body()).decode("utf8"), keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError:
        return {}
