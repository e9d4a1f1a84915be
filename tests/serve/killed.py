"""A child that is killed at its n-th change of a file while it publishes and promotes, for every n: run by a test.

Prints a line of JSON for each n: what a reader finds afterwards.
"""

import itertools
import json
import os
import signal
import sys
from pathlib import Path

from palate.model import load
from palate.serve.registry import Registry

CHANGES = {"os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "shutil.copyfile", "tempfile.mkdtemp"}


def die_at(n):
    """Kill this process just before its n-th change of a file."""
    left = [n]

    def hook(event, args):
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in CHANGES:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(root, model):
    opened = load(model)
    status, numbers = signal.SIGKILL, itertools.count(1)
    while os.WIFSIGNALED(status):
        n = next(numbers)
        registry = Registry(root, clock=lambda: 1_700_000_000.0 + n)  # noqa: B023  every version has its own second
        child = os.fork()
        if child == 0:
            die_at(n)
            registry.promote(registry.publish(model if n % 2 else opened), force=True)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        serving = registry.serving()
        found = {
            "n": n,
            "live": serving.version,
            "note": serving.note,
            "recipe": serving.model.about["recipe"],
            "damaged": [one.id for one in registry.versions() if one.damage],
            "intact": registry.audit_intact(),
        }
        print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
