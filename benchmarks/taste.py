"""Film texts through MiniLM to a taste: what is liked of a history, compared with a candidate, in one bi-encoder.

Each film is read once and stands both for itself and for its place in histories, so that every film of a training row
can be a target with the other ten as its history: eleven examples for the price of one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.evidence import film_texts, log_odds
from benchmarks.sets.tallrec import Asked, Films
from palate.assets import model_folder
from palate.metrics.accuracy import auc, uauc
from palate.rank.reader import Reader
from palate.runtime import Runtime, log
from palate.train.loop import Epochs, LoopConfig, train
from palate.tuning.methods import MethodConfig
from palate.types import Floats, Ints, Longs

MAX_TOKENS = 48
PACE = {"full": 30.0, "lora": 3.0, "head": 1.0}  # how much faster the numbers beside the transformer learn than itself


@dataclass(frozen=True)
class Window:
    """R rows of films that one person rated: item (R, W), liked (R, W) 0 or 1."""

    item: Ints
    liked: Floats

    @staticmethod
    def of(rows: Asked) -> "Window":
        """The film asked about stands last."""
        items = np.concatenate([rows.before, rows.item[:, None]], axis=1)
        liked = np.concatenate([rows.before_liked, rows.liked[:, None]], axis=1)
        return Window(items, liked.astype(np.float32))


class Taste(nn.Module):
    """score(film) = trust * log-odds of the other films' likes + alike * what is liked near it + what it is by itself.

    What is liked near it: the cosines with the films of the history times how far each one's like is above their mean;
    the cosine with the nearest liked less that with the nearest disliked film; the shares of its genres that films of
    the history have, weighted like the cosines.
    """

    vectors: Tensor
    genres: Tensor

    def __init__(self, films: Films, method: str) -> None:
        super().__init__()
        self.method, self.pace = method, PACE[method]
        reader = Reader.open(model_folder("all-minilm-l6-v2"), MAX_TOKENS, "auto").learning(MethodConfig(method=method))
        for part in (reader.head, reader.trust):  # Taste has its own
            part.requires_grad_(False)
        self.reader, texts = reader, film_texts(films)
        self.tokens = reader.tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)["input_ids"]
        kinds = sorted({kind for kinds in films.genres for kind in kinds})
        has = [[kind in own for kind in kinds] for own in films.genres]
        self.register_buffer("genres", torch.tensor(has, dtype=torch.float32), persistent=False)
        self.register_buffer("vectors", self._read_all(), persistent=False)
        self.register_buffer("mean", self.vectors.mean(dim=0), persistent=False)
        self.trust, self.alike = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(3))
        self.own = nn.Linear(self.vectors.shape[1], 1)
        nn.init.zeros_(self.own.weight)
        nn.init.zeros_(self.own.bias)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """What learns."""
        return {name: value.detach() for name, value in self.named_parameters() if value.requires_grad}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Takes what `state_dict` gave."""
        with torch.no_grad():
            for name, value in self.named_parameters():
                if value.requires_grad:
                    value.copy_(state_dict[name])

    def forward(self, window: Window) -> Tensor:
        """(R, W) the score of each film of a row, the others being its history."""
        known, place = np.unique(window.item, return_inverse=True)
        vectors = self._read(known) if self.method != "head" and self.training else self.vectors[known]
        vectors = functional.normalize(vectors - self.mean, dim=1)
        at, liked = torch.from_numpy(place.reshape(window.item.shape)), torch.from_numpy(window.liked)
        each, genres = vectors[at], self.genres[torch.from_numpy(window.item).long()]
        width = liked.shape[1]
        others = 1 - torch.eye(width)  # (W, W) target, history
        share = ((others @ liked.T).T / (width - 1)).unsqueeze(2)  # (R, W, 1) of the others that are liked
        above = (liked.unsqueeze(1) - share) * others
        cosine = each @ each.transpose(1, 2)
        overlap = genres @ genres.transpose(1, 2) / genres.sum(dim=2, keepdim=True).clamp(min=1)
        nearest = [
            torch.where((others * good.unsqueeze(1)) > 0, cosine, -1.0).amax(dim=2) for good in (liked, 1 - liked)
        ]
        alike = torch.stack([(above * cosine).sum(2), nearest[0] - nearest[1], (above * overlap).sum(2)], dim=2)
        prior = log_odds(share.squeeze(2).numpy() * (width - 1), width - 1)
        told = alike @ (self.pace * self.alike) + self.pace * self.own(each * 3).squeeze(2)
        return self.trust * torch.from_numpy(prior) + told

    def loss(self, window: Window) -> Tensor:
        """Of every film of a row."""
        return functional.binary_cross_entropy_with_logits(self(window), torch.from_numpy(window.liked))

    @torch.inference_mode()
    def scores(self, rows: Asked) -> Floats:
        """(N,) the scores of the films asked about; their labels are not read."""
        blank = Window.of(rows)
        found: Floats = self(
            Window(blank.item, np.append(blank.liked[:, :-1], np.zeros((len(rows), 1)), 1).astype(np.float32))
        )[:, -1].numpy()
        return found

    def refresh(self) -> None:
        """Read every film again with the weights of now."""
        if self.method != "head":
            self.vectors.copy_(self._read_all())

    @torch.no_grad()
    def _read_all(self) -> Tensor:
        self.eval()
        order = np.argsort([len(row) for row in self.tokens], kind="stable")
        parts = [self._read(rows) for rows in np.split(order, range(64, len(order), 64))]
        return torch.cat(parts)[torch.from_numpy(np.argsort(order))]

    def _read(self, films: Longs | Ints) -> Tensor:
        """(F, dim) mean token vectors as unit rows."""
        padded = self.reader.tokenizer.pad({"input_ids": [self.tokens[film] for film in films]})
        ids, mask = (torch.tensor(padded[name]) for name in ("input_ids", "attention_mask"))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.reader.bf16):
            states = self.reader.transformer(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        real = mask.unsqueeze(-1)
        return functional.normalize((states * real).sum(1) / real.sum(1), dim=1)


def learned(
    films: Films, shots: Asked, valid: Asked, method: str, config: LoopConfig, batch: int, runtime: Runtime
) -> Taste:
    """The model that learned from the shots, with the weights of the epoch of least loss on the validation rows."""
    with torch.random.fork_rng(devices=[]):
        model, window = Taste(films, method), Window.of(shots)
        epochs = Epochs(_batches(window, batch), -(-len(shots) // batch))
        labels = torch.from_numpy(valid.liked.astype(np.float32))

        def quality() -> float:
            model.refresh()
            scores = model.scores(valid)
            loss = functional.binary_cross_entropy_with_logits(torch.from_numpy(scores), labels).item()
            both = (auc(valid.liked, scores), uauc(valid.user, valid.liked, scores))
            log.info("taste: validation loss %.4f, AUC %.4f, UAUC %.4f", loss, *both)
            return -loss

        train(model, model.loss, epochs, quality, config, runtime, f"taste-{method}-{len(shots)}-{runtime.seed}")
        model.refresh()
    return model


def _batches(window: Window, size: int) -> Callable[[np.random.Generator], Iterator[Window]]:
    def drawn(rng: np.random.Generator) -> Iterator[Window]:
        order = rng.permutation(len(window.item))
        for rows in np.split(order, range(size, len(order), size)):
            yield Window(window.item[rows], window.liked[rows])

    return drawn
