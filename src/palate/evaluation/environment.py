"""Where an experiment ran: versions of what matters, processor, memory."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from palate.runtime import threads

_PACKAGES = (
    "palate",
    "numpy",
    "scipy",
    "polars",
    "implicit",
    "bm25s",
    "torch",
    "transformers",
    "sentence-transformers",
)


def environment() -> dict[str, str]:
    """Name to value, for the record; packages that are not installed are left out."""
    found = {
        "processor": _processor(),
        "cores": str(threads()),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    if name := accelerator():
        found["accelerator"] = name
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def accelerator() -> str:
    """The GPU that language models run on, "" where there is none; torch is asked only if it is loaded already."""
    torch = sys.modules.get("torch")
    return str(torch.cuda.get_device_name()) if torch and torch.cuda.is_available() else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (ValueError, OSError, AttributeError):
        return "unknown"
