"""Who may do what: every route of the application, every role."""

import pytest
from fastapi.routing import APIRoute

from palate.serve.keys import ROLES

LEAST = {  # what each route takes; None is open to everybody
    ("GET", "/health/live"): None,
    ("GET", "/health/ready"): None,
    ("GET", "/metrics"): "viewer",
    ("GET", "/v1/version"): "viewer",
    ("GET", "/v1/model"): "viewer",
    ("GET", "/v1/items"): "viewer",
    ("GET", "/v1/items/{item_id}"): "viewer",
    ("GET", "/v1/versions"): "viewer",
    ("POST", "/v1/recommend"): "recommender",
    ("POST", "/v1/similar"): "recommender",
    ("POST", "/v1/search"): "recommender",
    ("POST", "/v1/score"): "recommender",
    ("POST", "/v1/events"): "recommender",
    ("POST", "/v1/events/batch"): "recommender",
    ("POST", "/v1/events/stream"): "recommender",
    ("POST", "/v1/items/bulk"): "operator",
    ("PUT", "/v1/items/{item_id}"): "operator",
    ("PATCH", "/v1/items/{item_id}"): "operator",
    ("DELETE", "/v1/items/{item_id}"): "operator",
    ("GET", "/v1/users/{user_id}"): "operator",
    ("PUT", "/v1/users/{user_id}"): "operator",
    ("DELETE", "/v1/users/{user_id}"): "operator",
    ("POST", "/v1/versions/rollback"): "operator",
    ("POST", "/v1/versions/train"): "operator",
    ("POST", "/v1/versions/canary"): "operator",
    ("DELETE", "/v1/versions/canary"): "operator",
    ("POST", "/v1/versions/{version}/promote"): "operator",
    ("GET", "/v1/keys"): "admin",
    ("POST", "/v1/keys"): "admin",
    ("DELETE", "/v1/keys/{key_id}"): "admin",
}
GUARDED = sorted((method, path, role) for (method, path), role in LEAST.items() if role)


def routes(app):
    """(method, path) of everything under /v1, health and metrics."""
    found = set()
    for path, node in app.openapi()["paths"].items():
        found |= {(method.upper(), path) for method in node}
    return found


def test_the_table_has_every_route(client):
    app = client.http.app
    assert routes(app) == set(LEAST)
    assert {one.path for one in app.routes if isinstance(one, APIRoute)} <= {path for _, path in LEAST}


def plain(path):
    return path.replace("{", "").replace("}", "")


@pytest.mark.parametrize(("method", "path", "least"), GUARDED, ids=lambda one: str(one))
def test_each_role_may_do_what_the_table_says(client, method, path, least):
    refused = client(method, plain(path), role=None)
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "no_key"
    assert refused.headers["www-authenticate"] == "Bearer"
    for role in ROLES:
        answer = client(method, plain(path), role=role)
        if ROLES.index(role) < ROLES.index(least):
            assert answer.status_code == 403, role
            assert f"takes the role {least}" in answer.json()["error"]["message"]
        else:
            assert answer.status_code not in (401, 403), role


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer wrong", "Basic dTpw", "bearer", "Bearer a b", "Bearer é".encode("latin1"), ""],
    ids=str,
)
def test_anything_but_a_known_key_is_nobody(client, header):
    assert client.http.get("/v1/version", headers={"Authorization": header}).status_code == 401


def test_every_refusal_names_its_request(client):
    answer = client("GET", "/v1/version", role=None, headers={"X-Request-ID": "mine-1"})
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "mine-1"


def test_health_is_open(client):
    assert client("GET", "/health/live", role=None).json() == {"status": "ok"}
    assert client("GET", "/health/ready", role=None).json() == {"status": "ok"}
