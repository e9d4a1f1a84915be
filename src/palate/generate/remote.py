"""A language model behind an OpenAI-compatible HTTP address: prompts to texts, and answers to log-probabilities."""

import json
import math
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from palate.config import option, options
from palate.errors import ConfigError, ServiceError
from palate.types import Floats

_MOST_BYTES = 8_000_000  # of one answer
_FLOOR = -100.0  # log-probability of what a service says is impossible


@options
class RemoteGeneratorConfig:
    address: str = option("http://127.0.0.1:8000/v1", "Where the service listens, up to and with its version.")
    model: str = option("", "The model's name there; a service with one model needs none.")
    key_variable: str = option("PALATE_API_KEY", "The environment variable with the key, if the service wants one.")
    timeout_s: float = option(60.0, "Seconds to wait for one answer.", low=0.01)
    retries: int = option(2, "Further tries after no answer, a busy (429) or a broken service (5xx).", low=0, high=10)
    pause_s: float = option(1.0, "Seconds before the first further try, doubled for each next one.", low=0.0)
    parallel: int = option(4, "Requests at once.", low=1, high=64)
    max_prompt_chars: int = option(20_000, "Characters of a prompt beyond which it is refused.", low=1)
    temperature: float = option(0.0, "How freely texts are written.", low=0.0, high=2.0)
    seed: int = option(0, "Seed of what is drawn, for services that heed it.", low=0)


@dataclass(frozen=True, eq=False)
class RemoteGenerator:
    """A service with `/chat/completions`, such as vLLM, llama.cpp or a hosted one; redirects are not followed.

    `score` reads the 20 likeliest first tokens that the service tells. An answer must be one token there; its
    spellings with blanks count together. One that is not among the 20 gets what they leave over, at most the
    last of them, which is more than it has. What a service answers need not be the same twice.
    """

    config: RemoteGeneratorConfig = RemoteGeneratorConfig()

    @property
    def identity(self) -> str:
        return f"{self.config.address} {self.config.model} {self.config.temperature} {self.config.seed}"

    def generate(self, prompts: Sequence[str], max_tokens: int) -> list[str]:
        more = {"max_tokens": max_tokens, "temperature": self.config.temperature, "seed": self.config.seed}
        return [_content(choice, self.config.address) for choice in self._asked(prompts, more)]

    def score(self, prompts: Sequence[str], answers: Sequence[str]) -> Floats:
        more = {"max_tokens": 1, "temperature": 0.0, "logprobs": True, "top_logprobs": 20}
        told = [_chances(choice, answers, self.config.address) for choice in self._asked(prompts, more)]
        return np.array(told, np.float32).reshape(len(prompts), len(answers))

    def _asked(self, prompts: Sequence[str], more: dict[str, Any]) -> list[dict[str, Any]]:
        """The first choice of each answer, in the order of the prompts; the first error ends the rest."""
        self._check(prompts)
        failed = threading.Event()

        def ask(prompt: str) -> dict[str, Any]:
            if failed.is_set():
                raise ServiceError(f"{self.config.address}: not asked any more after an error")
            try:
                named = {"model": self.config.model} if self.config.model else {}
                body = {**named, "messages": [{"role": "user", "content": prompt}], **more}
                return _choice(self._posted(body), self.config.address)
            except BaseException:
                failed.set()
                raise

        with ThreadPoolExecutor(self.config.parallel) as pool:
            tasks = [pool.submit(ask, prompt) for prompt in prompts]
        errors = [error for task in tasks if (error := task.exception())]
        if errors:
            raise min(errors, key=lambda error: "not asked any more" in str(error))
        return [task.result() for task in tasks]

    def _check(self, prompts: Sequence[str]) -> None:
        if urlsplit(self.config.address).scheme not in ("http", "https") or not urlsplit(self.config.address).netloc:
            raise ConfigError(
                f'RemoteGeneratorConfig.address: "{self.config.address}" is no http address; write for example '
                "http://127.0.0.1:8000/v1"
            )
        longest = max(map(len, prompts), default=0)
        if longest > self.config.max_prompt_chars:
            raise ConfigError(
                f"RemoteGenerator: a prompt has {longest:,} characters, {self.config.max_prompt_chars:,} are allowed; "
                "shorten histories and texts, or raise max_prompt_chars"
            )

    def _posted(self, body: dict[str, Any]) -> Any:
        """The service's answer; tried again where that can help. Raises ServiceError."""
        for tries_left in range(self.config.retries, -1, -1):
            try:
                return self._once(body)
            except urllib.error.HTTPError as error:
                problem = f"answers {error.code} {error.reason}: {_said(error)}"
                if not tries_left or not (error.code == 429 or error.code >= 500):
                    break
            except (OSError, HTTPException) as error:  # no connection, time over, half an answer
                problem = f"does not answer ({getattr(error, 'reason', None) or error or type(error).__name__})"
            except ValueError as error:
                problem = f"answers no JSON ({error})"
            if tries_left:
                time.sleep(self.config.pause_s * 2 ** (self.config.retries - tries_left))
        raise ServiceError(f"{self.config.address}: {problem}; check the address, the model's name and the key")

    def _once(self, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.config.key_variable):
            headers["Authorization"] = f"Bearer {key}"
        url = f"{self.config.address.rstrip('/')}/chat/completions"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        with urllib.request.build_opener(_Stay).open(request, timeout=self.config.timeout_s) as answer:
            content = answer.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES:,} bytes")
        return json.loads(content)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, so that neither prompts nor the key go to another address."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _said(error: urllib.error.HTTPError) -> str:
    """The beginning of what a service wrote about an error, on one line."""
    try:
        return " ".join(error.read(300).decode("utf8", "replace").split()) or "nothing more"
    except (OSError, HTTPException):
        return "nothing more"
    finally:
        error.close()


def _choice(answer: Any, address: str) -> dict[str, Any]:
    try:
        return dict(answer["choices"][0])
    except (KeyError, IndexError, TypeError, ValueError):
        raise ServiceError(f"{address}: its answer holds no choices; it is not OpenAI-compatible") from None


def _content(choice: dict[str, Any], address: str) -> str:
    try:
        content = choice["message"]["content"]
    except (KeyError, TypeError):
        raise ServiceError(f"{address}: its answer holds no message; it is not OpenAI-compatible") from None
    return content.strip() if isinstance(content, str) else ""


def _chances(choice: dict[str, Any], answers: Sequence[str], address: str) -> list[float]:
    """The log-probability of each answer as first token."""
    try:
        listed = choice["logprobs"]["content"][0]["top_logprobs"]
        told = [(str(one["token"]).strip(), float(one["logprob"])) for one in listed]
    except (KeyError, IndexError, TypeError, ValueError):
        told = []
    told = [(token, chance) for token, chance in told if not math.isnan(chance)]
    if not told:
        raise ServiceError(
            f"{address}: tells no log-probabilities; use a service that does, or rank by what it writes "
            '(LLMRankerConfig(how="written"))'
        )
    left = max(1.0 - sum(math.exp(min(chance, 0.0)) for _, chance in told), math.exp(_FLOOR))
    unlisted = min(math.log(left), min(chance for _, chance in told))
    sums = [sum(math.exp(min(chance, 0.0)) for token, chance in told if token == answer) for answer in answers]
    return [max(math.log(one) if one else unlisted, _FLOOR) for one in sums]
