"""What Linux tells of processes: CPU time, memory and children; elsewhere it is not known."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Memory(NamedTuple):
    """Bytes. In PSS each of those that share a page has its part of it; in RSS each has all of it."""

    pss: int
    rss: int
    #: Of ``pss`` what is no file's: it changes with what the process itself does, whoever else comes and goes.
    anonymous: int


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used so far, with that of its ended children; 0 where it is not seen."""
    fields = _stat(pid)
    # proc(5): utime, stime, cutime and cstime are the fields 14 to 17.
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def memory(pid: int) -> Memory:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return Memory(0, 0, 0)
    told = {name: 1024 * int(size.split()[0]) for name, _, size in (line.partition(": ") for line in lines[1:])}
    return Memory(told["Pss"], told["Rss"], told["Pss_Anon"])


def family(pid: int) -> list[int]:
    """A process and all that it has started, and they."""
    parents = {int(one.name): fields[1] for one in PROC.glob("[0-9]*") if (fields := _stat(int(one.name)))}
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if int(parent) == one]
    return found


def family_cpu_seconds(pid: int) -> float:
    return sum(map(cpu_seconds, family(pid)))


def total(memories: Iterable[Memory]) -> Memory:
    each = list(memories)
    return Memory(*(sum(column) for column in zip(*each, strict=True)))


def _stat(pid: int) -> list[str]:
    """The fields after the name, which stands in parentheses and may hold anything; the state is the first."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
