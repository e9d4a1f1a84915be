"""A service behind an address, played by a server of the test's own: asked rightly, and every failure translated."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from palate.errors import ConfigError, ServiceError
from palate.generate.remote import RemoteGenerator, RemoteGeneratorConfig


class Service(ThreadingHTTPServer):
    """Answers with `reply(body)` -> (status, text), and notes what it was asked."""

    def __init__(self, reply):
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply, self.asked = reply, []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers.get("Authorization"), body))
        status, text = self.server.reply(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = []

    def start(reply):
        service = Service(reply)
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((service, thread))
        return service

    yield start
    for service, thread in running:
        service.shutdown()
        thread.join()
        service.server_close()


def generator(service, **options) -> RemoteGenerator:
    address = f"http://127.0.0.1:{service.server_port}/v1"
    return RemoteGenerator(RemoteGeneratorConfig(address=address, **{"pause_s": 0.0, "timeout_s": 5.0, **options}))


def said(text: str) -> tuple[int, str]:
    return 200, json.dumps({"choices": [{"message": {"content": text}}]})


def listed(*pairs) -> tuple[int, str]:
    top = [{"token": token, "logprob": float(np.log(chance))} for token, chance in pairs]
    return 200, json.dumps({"choices": [{"message": {}, "logprobs": {"content": [{"top_logprobs": top}]}}]})


def test_texts_come_back_in_the_order_of_the_prompts(serve, monkeypatch):
    monkeypatch.setenv("PALATE_API_KEY", "secret")
    service = serve(lambda body: said(f" {body['messages'][0]['content'].upper()} "))
    prompts = [f"prompt {n}" for n in range(9)]
    assert generator(service, model="m").generate(prompts, 7) == [prompt.upper() for prompt in prompts]
    path, key, body = service.asked[0]
    assert (path, key, body["model"], body["max_tokens"]) == ("/v1/chat/completions", "Bearer secret", "m", 7)


def test_scores_add_spellings_up_and_bound_what_is_not_listed(serve):
    service = serve(lambda body: listed(("Yes", 0.5), (" Yes", 0.2), ("No", 0.25), ("Hm", 0.01)))
    told = generator(service).score(["Hm?"], ["Yes", "No", "Maybe"])
    np.testing.assert_allclose(np.exp(told), [[0.7, 0.25, 0.01]], rtol=1e-5)  # .04 is left, the least listed has .01


def test_a_busy_service_is_asked_again(serve):
    replies = [(503, "wait"), (429, "wait"), said("at last")]
    service = serve(lambda body: replies.pop(0))
    assert generator(service).generate(["Hm?"], 4) == ["at last"]


@pytest.mark.parametrize(
    ("reply", "complaint", "times"),
    [
        pytest.param((401, "no key"), "answers 401 Unauthorized: no key", 1, id="refused"),
        pytest.param((500, ""), "answers 500 Internal Server Error: nothing more", 3, id="broken"),
        pytest.param((302, ""), "answers 302", 1, id="sent-elsewhere"),
        pytest.param((200, "<html>"), "answers no JSON", 3, id="no-json"),
        pytest.param((200, "{}"), "holds no choices", 1, id="another-service"),
        pytest.param((200, '{"choices": [{}]}'), "holds no message", 1, id="no-message"),
    ],
)
def test_failures_name_the_address_and_the_problem(serve, reply, complaint, times):
    service = serve(lambda body: reply)
    with pytest.raises(ServiceError, match=rf"http://127.0.0.1:\d+/v1: .*{complaint}"):
        generator(service).generate(["Hm?"], 4)
    assert len(service.asked) == times


def test_a_service_without_log_probabilities_says_what_to_do(serve):
    service = serve(lambda body: said("Yes"))
    with pytest.raises(ServiceError, match=r"tells no log-probabilities; .*written"):
        generator(service).score(["Hm?"], ["Yes"])


def test_after_one_error_the_rest_is_not_asked(serve):
    service = serve(lambda body: (400, "bad"))
    with pytest.raises(ServiceError, match="answers 400"):
        generator(service, parallel=1).generate(["Hm?"] * 50, 4)
    assert len(service.asked) == 1


def test_a_silent_service_is_given_up(serve):
    go_on = threading.Event()
    service = serve(lambda body: (go_on.wait(5), said("late"))[1])
    with pytest.raises(ServiceError, match="does not answer"):
        generator(service, timeout_s=0.05, retries=0).generate(["Hm?"], 4)
    go_on.set()


@pytest.mark.parametrize("address", ["file:///etc/passwd", "localhost:8000", "http://"])
def test_only_http_addresses_are_asked(address):
    with pytest.raises(ConfigError, match="is no http address"):
        RemoteGenerator(RemoteGeneratorConfig(address=address)).generate(["Hm?"], 4)


def test_a_prompt_that_is_too_long_is_not_sent(serve):
    service = serve(lambda body: said("Yes"))
    with pytest.raises(ConfigError, match="21 characters, 20 are allowed"):
        generator(service, max_prompt_chars=20).generate(["x" * 21], 4)
    assert service.asked == []
