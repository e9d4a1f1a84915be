"""The OpenAPI document against the application, by schemathesis in all its phases: no 5xx, nothing undeclared."""

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

EXAMPLES = 4  # generated requests of an operation and phase
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
          "response_headers_conformance", "unsupported_method", "ignored_auth", "use_after_free")  # fmt: skip
schemathesis.serializer.alias("application/x-ndjson", "text/plain")
PHASES = {"examples", "coverage", "fuzzing", "stateful"}


def config(secret):
    told = {
        "seed": 0,
        "continue-on-failure": True,
        "headers": {"Authorization": f"Bearer {secret}"},
        "generation": {"deterministic": True, "max-examples": EXAMPLES, "no-shrink": True, "database": "none"},
        "checks": {"enabled": False} | {name: {"enabled": True} for name in CHECKS},
    }
    told["checks"]["not_a_server_error"] = {"enabled": True, "expected-statuses": ["2xx", "4xx", 503, 507]}
    told["phases"] = {"stateful": {"generation": {"max-examples": EXAMPLES}}}
    return SchemathesisConfig.from_dict(told)


def told_of(failure):
    return f"{failure.operation}: {failure.title}: {failure.message}"


@pytest.mark.filterwarnings("ignore")
def test_schemathesis_finds_nothing(client):
    schema = schemathesis.openapi.from_asgi("/openapi.json", client.http.app, config=config(client.secrets["admin"]))
    ran, found, errors, checked = set(), set(), [], 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.PhaseFinished) and event.status.value != "skip":
            ran.add(event.phase.name.value)
        if isinstance(event, events.ScenarioFinished):
            for checks in event.recorder.checks.values():
                checked += len(checks)
                found |= {told_of(one.failure_info.failure) for one in checks if one.failure_info}
        if isinstance(event, events.NonFatalError | events.FatalError):
            errors.append(
                f"{event.label}: {event.value!r}" if isinstance(event, events.NonFatalError) else repr(event.exception)
            )
    assert not errors + sorted(found), "\n\n".join(errors + sorted(found))
    assert checked > 1000
    assert ran >= PHASES
