"""The lifeline: a program started through it is killed when its parent dies, however the parent dies (Linux)."""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

# <linux/prctl.h>; it outlives exec, which is why this little program can set it for any other.
PR_SET_PDEATHSIG = 1


def tied(argv: Sequence[str]) -> list[str]:
    """``argv`` as a child of this process that does not outlive it.

    To be started from a thread that lives as long as the process does: the kernel watches that thread.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def die_with(parent: int) -> None:
    """This process is killed when ``parent`` dies; at once, if it has."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(1)


def main(parent: int, argv: list[str]) -> None:
    """Become ``argv``."""
    die_with(parent)
    try:
        os.execvp(argv[0], argv)
    except OSError as problem:
        sys.exit(f"{argv[0]} cannot be started: {problem.strerror}.")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
