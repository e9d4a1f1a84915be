"""What every Python that has this on its path as `sitecustomize` does first: die by SIGKILL at a place.

DIE_AT is a pattern of an audit event and its arguments; a process without one lives on.
"""

import os
import re
import signal
import sys


def hook(event, args):
    if event in ("open", "os.rename", "tempfile.mkdtemp") and re.search(os.environ["DIE_AT"], f"{event} {args}"):
        os.kill(os.getpid(), signal.SIGKILL)


if os.environ.get("DIE_AT"):
    sys.addaudithook(hook)
