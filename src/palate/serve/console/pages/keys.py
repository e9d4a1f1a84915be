"""API keys: list, make, revoke."""

from pydantic import ValidationError
from starlette.responses import Response

from palate.errors import ConfigError, ConflictError
from palate.serve import keys as kept
from palate.serve.console.visit import Page, Visit
from palate.serve.console.waiting import waited
from palate.serve.routes.access import WRITE_S
from palate.serve.schemas import KeyBody


def keys(visit: Visit) -> Response:
    """Every key, revoked ones too."""
    return _listed(visit)


def make(visit: Visit) -> Response:
    """A new key, whose secret this page shows and no other."""
    try:
        body = KeyBody.model_validate({"name": visit.form.get("name", "").strip(), "role": visit.form.get("role", "")})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    service = visit.service
    made = service.writer.submit(lambda connection: kept.make(connection, body.name, body.role))
    key, secret = waited(made, WRITE_S)
    service.keys.forget()
    return _listed(visit, key, secret)


def revoke(visit: Visit) -> Response:
    """Make a key worthless, at once, and end what it signed in to; not one's own."""
    key_id = visit.form.get("id", "")
    if visit.key is not None and key_id == visit.key.key_id:
        raise ConflictError("this is the key that you are signed in with; sign in with another one to revoke it")
    waited(visit.service.writer.submit(lambda connection: kept.revoke(connection, key_id)), WRITE_S)
    visit.service.keys.forget()
    return visit.to("/keys", "key_revoked")


def _listed(visit: Visit, made: kept.Key | None = None, secret: str = "") -> Response:
    found = visit.service.keys.all()
    return visit.page("keys.html", keys=found[::-1], roles=kept.ROLES, made=made, secret=secret)


PAGES = (
    Page("/keys", keys, "admin"),
    Page("/keys/make", make, "admin", "POST"),
    Page("/keys/revoke", revoke, "admin", "POST"),
)
