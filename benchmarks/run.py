"""Runs every benchmark, keeps what it tells in docs/performance, and writes the document anew.

``python -m benchmarks.run [--only NAME]… [OPTION]…``: NAME as its file is named, or without the database; the options
are those of the benchmarks.
"""

import argparse
import subprocess
import sys

from benchmarks import document

_POSTGRESQL = ["--database", "postgresql"]
#: The nine of it send 90 a second: of five seconds' the slowest four are the tail, which is chance.
_LONGER = ["--seconds", "10"]

#: ``{name of its file: words for ocpi-gateway bench}``, in the order in which they run.
RUNS: dict[str, list[str]] = {
    "ceiling": ["ceiling"],
    "ceiling-postgresql": ["ceiling", *_POSTGRESQL],
    "commands": ["commands"],
    "commands-postgresql": ["commands", *_POSTGRESQL],
    "latency": ["latency"],
    "latency-postgresql": ["latency", *_POSTGRESQL],
    "isolation": ["isolation", *_LONGER],
    "isolation-postgresql": ["isolation", *_LONGER, *_POSTGRESQL],
    "start": ["start"],
    "start-postgresql": ["start", *_POSTGRESQL],
    "stations": ["stations", "--stations", "5000"],
    "stations-postgresql": ["stations", "--stations", "5000", *_POSTGRESQL],
    "growth": ["growth"],
    "growth-postgresql": ["growth", *_POSTGRESQL],
}


def main(words: list[str]) -> int:
    """The exit status: 1 when the figures of one do not count, or are not fit for the document."""
    parser = argparse.ArgumentParser(prog="benchmarks.run")
    parser.add_argument("--only", action="append", metavar="NAME", help="may be repeated")
    given, passed_on = parser.parse_known_args(words)
    chosen = [name for name in RUNS if not given.only or {name, RUNS[name][0]} & set(given.only)]
    if not chosen:
        parser.error(f"there is none of that name, but {', '.join(RUNS)}")
    failed = [name for name in chosen if not _run(name, passed_on)]
    if failed:
        sys.stderr.write(f"No figures from: {', '.join(failed)}.\n")
    return document.main() or int(bool(failed))


def _run(name: str, passed_on: list[str]) -> bool:
    sys.stderr.write(f"\n{name}\n")
    words = ["bench", *RUNS[name], "--save", str(document.KEPT), *passed_on]
    with subprocess.Popen([sys.executable, "-m", "workers", *words]) as process:
        try:
            return process.wait() == 0
        finally:
            process.wait()  # Ctrl-C is for both of us, and it ends what it has started; `run` would kill it meanwhile


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
