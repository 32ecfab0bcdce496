"""The machine that figures belong to, and the versions of what was measured on it."""

import os
import platform
import resource
import sqlite3
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from workers.bench.processes import PROC
from workers.valkey import server_binary

PACKAGES = (
    "ocpi-commands-gateway", "aiohttp", "fastapi", "httpx", "orjson", "psycopg", "pydantic", "redis", "rq",
    "sqlalchemy", "uvicorn", "uvloop", "websockets",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """To be asked for before anything is started: who else is at work is part of it."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "cpu": _said_in("cpuinfo", "model name") or platform.machine(),
        "memory_gb": round(int((_said_in("meminfo", "MemTotal") or "0").split()[0]) / 1e6, 1),
        "system": f"{platform.system()} {platform.release()}",
        "fsync_ms": _fsync_ms(),
        "versions": {
            "valkey": _valkey(),
            "sqlite": sqlite3.sqlite_version,
            **{name: version(name) for name in PACKAGES},
        },
    }


def open_as_many_files_as_allowed() -> None:
    """Thousands of sockets, as an operator of thousands of stations sets it; what we start has it from us."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _said_in(file: str, name: str) -> str:
    try:
        lines = (PROC / file).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _fsync_ms(times: int = 20) -> float:
    """What it takes to put a page on the disk where the data will be: the price of a promise."""
    with tempfile.TemporaryFile(dir=Path(tempfile.gettempdir())) as file:
        taken = []
        for _ in range(times):
            file.write(b"\0" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(1000 * (time.perf_counter() - began))
    return round(median(taken), 3)


def _valkey() -> str:
    said = subprocess.run([server_binary(), "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    return next((word.removeprefix("v=") for word in said.split() if word.startswith("v=")), said.strip())
