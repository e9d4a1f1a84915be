"""Signing in and out, and the choice of a language."""

from collections.abc import Sequence

from starlette.responses import RedirectResponse, Response

from palate.serve.console.session import FORM, SESSION, Sessions, set_cookie
from palate.serve.console.texts import COOKIE, LANGUAGES
from palate.serve.console.visit import Page, Visit

YEAR_HOURS = 365 * 24


def pages(sessions: Sessions) -> Sequence[Page]:
    """The pages over the sessions that they begin and end."""

    def sign_in(visit: Visit) -> Response:
        key = visit.service.keys.of(visit.form.get("key", "").strip())
        if key is None:
            visit.service.counters.refused.labels("sign_in").inc()
            return visit.page("sign_in.html", 401, back=visit.form.get("back", ""), wrong=True)
        response = RedirectResponse(_inside(visit, visit.form.get("back", "")), 303)
        set_cookie(visit.request, response, SESSION, sessions.begin(key.key_id))
        return response

    def sign_out(visit: Visit) -> Response:
        sessions.end(visit.request)
        response = visit.to("/sign-in", "signed_out")
        for name in (SESSION, FORM):
            set_cookie(visit.request, response, name, "")
        return response

    return (
        Page("/sign-in", _asking, ""),
        Page("/sign-in", sign_in, "", "POST"),
        Page("/sign-out", sign_out, "viewer", "POST"),
        Page("/language", _language, "", "POST"),
    )


def _asking(visit: Visit) -> Response:
    if visit.key is not None:
        return visit.to("/")
    return visit.page("sign_in.html", back=visit.asked("back"), wrong=False)


def _language(visit: Visit) -> Response:
    response = RedirectResponse(_inside(visit, visit.form.get("back", "")), 303)
    if visit.form.get("to") in LANGUAGES:
        set_cookie(visit.request, response, COOKIE, visit.form["to"], hours=YEAR_HOURS)
    return response


def _inside(visit: Visit, back: str) -> str:
    """An address to go back to, if it is one of the console's; otherwise its first page."""
    plain = "\\" not in back and all(" " < letter < "\x7f" for letter in back)
    return back if back.startswith(visit.at("/")) and plain else visit.at("/")
