"""Every tuning method on tiny networks of both kinds: what learns, what is saved, what comes back."""

import json
from pathlib import Path

import pytest
import torch
import transformers
from torch import nn

from palate.errors import ConfigError, StoreError
from palate.tuning.methods import METHODS, REFUSED, MethodConfig
from palate.tuning.tuned import attached, tunable

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
MAKERS = {
    "bert": (transformers.BertConfig, transformers.BertModel, {}),
    "roberta": (transformers.RobertaConfig, transformers.RobertaModel, {}),
    "xlm-roberta": (transformers.XLMRobertaConfig, transformers.XLMRobertaModel, {}),
    "mpnet": (transformers.MPNetConfig, transformers.MPNetModel, {}),
    "distilbert": (transformers.DistilBertConfig, transformers.DistilBertModel, {"dim": 16, "hidden_dim": 32}),
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM, {}),
    "mistral": (transformers.MistralConfig, transformers.MistralForCausalLM, {"num_key_value_heads": 2}),
    "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM, {"num_key_value_heads": 2}),
    "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM, {"num_key_value_heads": 2, "head_dim": 8}),
}
TOKENS = {
    "input_ids": torch.tensor([[5, 6, 7, 8, 9], [10, 11, 12, 1, 1]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
}
SMALL = {"rank": 2, "virtual_tokens": 3, "bottleneck": 4}
PAIRS = [(name, kind) for name, method in METHODS.items() for kind in method.kinds]
NETWORKS = {"encoder": "bert", "decoder": "llama"}


def network(name: str = "bert") -> nn.Module:
    """The same small random network every time."""
    config, model, more = MAKERS[name]
    torch.manual_seed(0)
    sizes = {**SIZES, "max_position_embeddings": 40, "pad_token_id": 1, **more}
    return model(config(**sizes)).eval()


def answer(model: nn.Module, row: slice = slice(None)) -> torch.Tensor:
    """Hidden states or logits where there is a token."""
    with torch.no_grad():
        output = model(**{name: part[row] for name, part in TOKENS.items()})
    states = output.logits if "logits" in output else output.last_hidden_state
    return states[TOKENS["attention_mask"][row].bool()]


def taught(method: str, name: str = "bert", seed: int = 1, steps: int = 10):
    """A network tuned for a few steps towards a random answer."""
    torch.manual_seed(seed)
    tuned = tunable(network(name), MethodConfig(method=method, **SMALL), steps)
    wanted = torch.randn_like(answer(tuned))
    optimiser = torch.optim.AdamW([value for value in tuned.parameters() if value.requires_grad], 0.05)
    tuned.train()
    for step in range(steps):
        optimiser.zero_grad()
        output = tuned(**TOKENS)
        states = output.logits if "logits" in output else output.last_hidden_state
        loss = ((states[TOKENS["attention_mask"].bool()] - wanted) ** 2).mean() + tuned.penalty()
        loss.backward()
        optimiser.step()
        tuned.stepped(step)
    return tuned.eval()


def _own_name(name: str, method: str) -> str:
    """What the network itself calls a weight that lies in a wrapper."""
    name = name.removeprefix("base_model." if method in ("prefix", "prompt") else "base_model.model.")
    return name.replace(".base_layer", "").replace("dense.layer", "dense").replace("proj.layer", "proj")


@pytest.mark.parametrize(("method", "kind"), PAIRS)
def test_only_the_part_learns_and_it_changes_the_answer(method, kind):
    before, tuned = network(NETWORKS[kind]), taught(method, NETWORKS[kind])
    assert not torch.allclose(answer(tuned), answer(before), atol=1e-3)
    assert answer(tuned).shape == answer(before).shape
    kept = {_own_name(name, method): value for name, value in tuned.model.named_parameters() if not value.requires_grad}
    same = {name: value for name, value in before.named_parameters() if name in kept}
    assert method == "full" or len(same) > 10
    assert all(torch.equal(kept[name], value) for name, value in same.items())


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        pytest.param("lora", 2 * 2 * (2 * 16 + 16 * 2), id="layers x (query, value) x (A + B)"),
        pytest.param("adalora", 2 * 2 * (3 * 16 + 16 * 3 + 3), id="rank 3 falls to 2"),
        pytest.param("prefix", 3 * 2 * 2 * 16, id="tokens x layers x (key, value) x width"),
        pytest.param("prompt", 3 * 16, id="tokens x width"),
        pytest.param("adapter", 2 * 2 * (16 * 4 + 4 + 4 * 16 + 16), id="layers x 2 x (down + up)"),
        pytest.param("head", 16 * 16 + 16, id="one linear layer"),
        pytest.param("ia3", 2 * (16 + 16 + 16 + 32), id="keys, values, and what the two dense outputs read"),
    ],
)
def test_trainable_numbers_are_counted(method, expected):
    assert tunable(network(), MethodConfig(method=method, **SMALL)).trainable() == expected


def test_full_tuning_counts_every_weight():
    assert tunable(network(), MethodConfig(method="full")).trainable() == sum(
        value.numel() for value in network().parameters()
    )


@pytest.mark.parametrize("method", ["full", "lora", "adalora", "adapter", "ia3", "head"])
def test_before_the_first_step_the_network_answers_as_it_did(method):
    torch.testing.assert_close(answer(tunable(network(), MethodConfig(method=method)).eval()), answer(network()))


@pytest.mark.parametrize(("method", "kind"), PAIRS)
def test_padding_and_neighbours_change_no_answer(method, kind):
    tuned = taught(method, NETWORKS[kind])
    torch.testing.assert_close(answer(tuned)[5:], answer(tuned, slice(1, 2)), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("method", "kind"), PAIRS)
def test_a_saved_part_answers_on_a_fresh_network_bit_for_bit(method, kind, tmp_path):
    tuned = taught(method, NETWORKS[kind])
    tuned.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors"}
    assert torch.equal(answer(attached(network(NETWORKS[kind]), tmp_path)), answer(tuned))


@pytest.mark.parametrize(("method", "kind"), [pair for pair in PAIRS if METHODS[pair[0]].merges])
def test_merged_weights_answer_alike_and_the_tuned_network_stays(method, kind):
    tuned = taught(method, NETWORKS[kind])
    before, merged = answer(tuned), tuned.merged()
    assert type(merged) is type(network(NETWORKS[kind]))
    torch.testing.assert_close(answer(merged), before, atol=1e-5, rtol=1e-5)
    assert torch.equal(answer(tuned), before)


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if not method.merges])
def test_what_cannot_be_merged_says_so(method):
    with pytest.raises(ConfigError, match="can be: full, lora, adalora, ia3"):
        tunable(network(), MethodConfig(method=method)).merged()


@pytest.mark.parametrize(("method", "kind"), [pair for pair in PAIRS if pair[0] != "full"])
def test_two_parts_live_on_one_network_and_are_switched_by_name(method, kind, tmp_path):
    name = NETWORKS[kind]
    tuned = {seed: taught(method, name, seed) for seed in (1, 2)}
    for seed, one in tuned.items():
        one.save(tmp_path / str(seed))
    both = attached(network(name), tmp_path / "1", "first")
    both.add(tmp_path / "2", "second")
    assert torch.equal(answer(both), answer(tuned[1]))
    both.use("second")
    assert torch.equal(answer(both), answer(tuned[2]))
    both.use("first")
    assert torch.equal(answer(both), answer(tuned[1]))
    with pytest.raises(ConfigError, match=r'"third": not loaded; loaded: first, second'):
        both.use("third")


def test_parts_of_two_methods_do_not_share_a_network(tmp_path):
    taught("lora").save(tmp_path / "lora")
    taught("ia3").save(tmp_path / "ia3")
    with pytest.raises(ConfigError, match="tuned by ia3, the network by lora"):
        attached(network(), tmp_path / "lora").add(tmp_path / "ia3", "other")


@pytest.mark.parametrize("method", METHODS)
def test_state_goes_back_to_where_it_was(method):
    """What a checkpoint holds: a network set back to it learns on as the first one did."""
    tuned = taught(method)
    state = {name: value.clone() for name, value in tuned.state_dict().items()}
    before, more = answer(tuned), taught(method, seed=5)
    more.load_state_dict(state)
    assert torch.equal(answer(more), before)
    assert more.state_dict().keys() == state.keys()
    assert all(torch.equal(more.state_dict()[name], value) for name, value in state.items())


def test_adalora_gives_ranks_away():
    tuned = taught("adalora", steps=40)
    pattern = tuned.model.peft_config["default"].rank_pattern
    assert sum(sum(kept) for kept in pattern.values()) == 2 * len(pattern)


def test_a_head_is_not_for_a_decoder():
    with pytest.raises(ConfigError, match="method head: not for a decoder; a decoder can be tuned by full, lora"):
        tunable(network("llama"), MethodConfig(method="head"))


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("method", METHODS)
def test_each_network_is_tuned_or_refused_by_name(name, method):
    try:
        tuned = tunable(network(name), MethodConfig(method=method, **SMALL))
    except ConfigError as error:
        said = str(error)
    refused = (method, name) in REFUSED or (method == "head" and name in ("llama", "mistral", "qwen2", "qwen3"))
    if refused:
        assert f"method {method}: not for a " in said
    else:
        assert answer(tuned.eval()).isfinite().all()


def test_layers_that_nobody_named_are_refused():
    albert = transformers.AlbertModel(transformers.AlbertConfig(**SIZES, embedding_size=8))
    with pytest.raises(ConfigError, match="the layers of a albert network are not known here, only those of bert"):
        tunable(albert, MethodConfig(method="lora"))


@pytest.mark.parametrize("method", ["lora", "prefix", "prompt", "adapter", "head"])
def test_a_part_for_another_network_is_refused(method, tmp_path):
    taught(method).save(tmp_path)
    wider = transformers.BertModel(transformers.BertConfig(**{**SIZES, "hidden_size": 32}))
    with pytest.raises(StoreError, match=r"for a network bert encoder, 2 layers of width 16; this one .* of width 32"):
        attached(wider, tmp_path)
    with pytest.raises(StoreError, match="this one is llama decoder"):
        attached(network("llama"), tmp_path)


@pytest.mark.parametrize("damage", ["missing", "no json", "no weights", "unknown option"])
def test_a_damaged_part_is_one_error(damage, tmp_path):
    if damage != "missing":
        taught("lora").save(tmp_path)
    about: Path = tmp_path / "adapter.json"
    if damage == "no json":
        about.write_text("{")
    if damage == "no weights":
        (tmp_path / "adapter_model.safetensors").unlink()
    if damage == "unknown option":
        about.write_text(json.dumps({**json.loads(about.read_text()), "options": {"size": 3}}))
    with pytest.raises((StoreError, ConfigError), match=r"adapter"):
        attached(network(), tmp_path)
