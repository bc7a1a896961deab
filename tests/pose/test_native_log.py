import os
import subprocess
import sys

SCRIPT = """
import os, sys
from sslslr.pose.backends._native_log import errors_only
with errors_only():
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
    os.write(2, b"W0000 00:00:1732.1 12 inference_feedback_manager.cc:114] Feedback\\nI0000 x\\n")
    os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\\n")
    print("bar", file=sys.stderr)
    os.write(2, b"E0000 00:00:1732.1 12 graph.cc:1] cannot\\n")
    if len(sys.argv) > 1:
        os.abort()
os.write(2, b"W0000 afterwards\\n")
"""


def test_warnings_of_a_native_log_are_left_out_and_errors_shown_even_at_an_abort():
    for arguments, more in (([], {"W0000 afterwards"}), (["abort"], set())):
        command = [sys.executable, "-c", SCRIPT, *arguments]
        done = subprocess.run(
            command, stderr=subprocess.PIPE, text=True, env=os.environ, check=False
        )
        lines = set(done.stderr.splitlines())
        assert lines == {"bar", "E0000 00:00:1732.1 12 graph.cc:1] cannot", *more}
