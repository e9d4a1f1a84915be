"""What every Python that has this on its path as `sitecustomize` does first: die by SIGKILL at a place, once.

DIE_AT is a word of an audit event and its arguments; a process whose DIE_AT is unset, or seen before, lives on.
"""

import os
import signal
import sys


def hook(event, args):
    if event in ("open", "os.rename", "tempfile.mkdtemp") and os.environ["DIE_AT"] in f"{event} {args}":
        os.kill(os.getpid(), signal.SIGKILL)


if os.environ.get("DIE_AT"):
    sys.addaudithook(hook)
