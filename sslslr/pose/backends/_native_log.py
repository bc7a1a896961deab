"""What a C++ library writes to standard error by itself, without its information and warnings.

MediaPipe writes hundreds of lines such as `W0000 00:00:1732829000.1 ...` straight to descriptor 2, where
they break up the progress bar, and has no switch for it. Here they pass through `grep`: a process of its
own, so that even the last words before an abort are shown.
"""

import contextlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

# Lines of absl's and glog's logs below an error, what they say of themselves, and TensorFlow Lite's.
NOISE = r"^([IW][0-9]{4} |WARNING: All log messages before absl::|INFO: )"


@contextlib.contextmanager
def errors_only() -> Iterator[None]:
    """Leave out `NOISE` of what is written to descriptor 2; Python's own standard error goes on as it was."""
    grep = shutil.which("grep")
    if grep is None:
        yield
        return
    sys.stderr.flush()
    screen, former = os.dup(2), sys.stderr
    command = [grep, "--line-buffered", "-a", "-v", "-E", NOISE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=screen) as sieve:
        if _descriptor(former) == 2:
            sys.stderr = io.TextIOWrapper(
                os.fdopen(os.dup(screen), "wb"), "utf-8", "replace", line_buffering=True
            )
        os.dup2(sieve.stdin.fileno(), 2)
        sieve.stdin.close()
        try:
            yield
        finally:
            os.dup2(screen, 2)
            os.close(screen)
            sys.stderr = former


def _descriptor(stream: object) -> int | None:
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None
