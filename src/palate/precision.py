"""Which number format a processor multiplies fastest; torch loads with this module."""

import torch


def quick(device: str) -> torch.dtype:
    """bfloat16 where the device ("cpu" or "cuda") has instructions for its products, else float32, since emulation
    takes ten times as long."""
    able = torch.cpu.get_capabilities()
    if device == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return torch.bfloat16 if fast else torch.float32
