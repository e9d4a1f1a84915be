"""A client that knows nothing but the OpenAPI document can use the whole service."""

import pytest
from jsonschema import Draft202012Validator


class Generated:
    """Every operation of a document by its id: arguments to path, query and body, as the document places them; answers
    are held to its schemas."""

    def __init__(self, document, send):
        self._document, self._send = document, send
        self._operations = {
            node["operationId"]: (method, path, node)
            for path, methods in document["paths"].items()
            for method, node in methods.items()
        }

    def named(self, word, method):
        """The id of the only operation of a path's end and a method."""
        (found,) = (name for name, (how, path, _) in self._operations.items() if path.endswith(word) and how == method)
        return found

    def __call__(self, name, **given):
        method, path, node = self._operations[name]
        query = {}
        for one in node.get("parameters", ()):
            if one["name"] in given:
                value = given.pop(one["name"])
                if one["in"] == "path":
                    path = path.replace(f"{{{one['name']}}}", value)
                else:
                    query[one["name"]] = value
            else:
                assert not one["required"], f"{name} needs {one['name']}"
        if "requestBody" in node:
            self._held(node["requestBody"]["content"]["application/json"]["schema"], given)
        answer = self._send(method.upper(), path, given if "requestBody" in node else None, params=query)
        told = node["responses"][str(answer.status_code)]  # a status that is not declared is an error
        found = answer.json()
        self._held(told["content"]["application/json"]["schema"], found)
        return found

    def _held(self, schema, value):
        Draft202012Validator({**schema, "components": self._document["components"]}).validate(value)


@pytest.fixture
def api(client):
    return Generated(client.http.get("/openapi.json").json(), client)


def test_a_whole_round(api):
    recommend, tell = api.named("/recommend", "post"), api.named("/v1/events", "post")
    put, delete = api.named("/items/{item_id}", "put"), api.named("/items/{item_id}", "delete")
    search, erase = api.named("/search", "post"), api.named("/users/{user_id}", "delete")

    def shown(name, **given):
        return [one["item_id"] for one in api(name, **given)["items"]]

    before = shown(recommend, user_id="new", k=5)
    assert api(tell, event_id="e1", user_id="new", item_id="i1", kind="buy")["accepted"] == 1
    assert shown(recommend, user_id="new", k=5) != before
    assert api(put, item_id="n1", title="wedding planets")["searchable"]
    assert shown(search, text="wedding planets", k=1) == ["n1"]
    assert api(api.named("/items/{item_id}", "get"), item_id="n1")["title"] == "wedding planets"
    assert api(api.named("/v1/items", "get"), limit=1, after="i9")["items"][0]["item_id"] == "n1"
    assert api(delete, item_id="n1")["written"] == 1
    assert "n1" not in shown(search, text="wedding planets", k=20)
    assert api(erase, user_id="new")["removed"]["events"] == 1


def test_refusals_are_as_declared(api):
    assert api(api.named("/similar", "post"), item_id="none")["error"]["code"] == "unknown"
    assert api(api.named("/recommend", "post"), where={"colour": "red"})["error"]["code"] == "invalid"


def test_what_is_sent_is_held_to_the_document(api):
    with pytest.raises(Exception, match="'many' is not of type 'integer'"):
        api(api.named("/recommend", "post"), k="many")


def test_every_operation_has_a_name_a_meaning_and_its_refusals(client):
    for path, methods in client.http.get("/openapi.json").json()["paths"].items():
        for node in methods.values():
            assert node["summary"]
            assert node["description"], path
            if path.startswith("/v1") or path == "/metrics":
                assert {"401", "403", "422", "429", "503"} <= set(node["responses"]), path
