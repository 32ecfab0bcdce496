"""Logs: what cannot be written harms nobody."""

import subprocess
import sys
from pathlib import Path

import pytest

LOGS = """
import structlog
from gateway import logs
from gateway.settings import Settings
logs.set_up(Settings(log_format="{form}"), "test")
for number in range(2000):
    try:
        raise LookupError(number)
    except LookupError:
        structlog.get_logger().exception("something failed", number=number)
print("and goes on")
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no full disk to write to")
@pytest.mark.parametrize("form", ["console", "json"])
def test_a_full_disk_takes_the_line_and_not_the_process(form: str) -> None:
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-c", LOGS.format(form=form)], stderr=full, stdout=subprocess.PIPE, text=True, check=False
        )
    assert process.stdout == "and goes on\n"
