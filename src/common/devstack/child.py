"""One application as a child of the supervisor: `python -m common.devstack.child LIFELINE MODULE ARGUMENT ...`.

The application runs in this process, beside a thread that reads the lifeline: a pipe whose other end only the
supervisor holds. When that end closes, the supervisor is gone, and the thread sends SIGTERM to the application. Unlike
a parent-death signal, a pipe works on every system, leaves no gap at the start, and fires once: a second SIGTERM would
cut a clean shutdown short.
"""

import os
import runpy
import signal
import sys
import threading
import time

STOP_SECONDS = 15.0
"""Time that an application has to end before it is killed."""


def _end_with_supervisor(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_supervisor, args=(int(sys.argv[1]),), daemon=True).start()
    module = sys.argv[2]
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
