"""CPU time of processes, as Linux tells it; elsewhere it is not known."""

import os
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used so far; 0 where it cannot be seen."""
    try:
        # proc(5): the name, in parentheses, may hold anything; utime and stime are fields 14 and 15.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
