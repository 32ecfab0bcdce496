"""A profile counts each of our functions once in a sample, wherever it is on the stack."""

import os
import subprocess
import sys

import pytest

from workers.bench.measures.profile import inclusive

STACKS = [
    'process 7:"worker";thread (0x1);sweep (/somewhere/workers/sweeper.py:70);run (/elsewhere/asyncio/runners.py:1) 6',
    "sweep (/somewhere/workers/sweeper.py:71);write (/somewhere/gateway/store/store.py:9);"
    "write (/somewhere/gateway/store/store.py:9) 3",
    "main (/somewhere/workers/main.py:70);sweep (/somewhere/workers/sweeper.py:70);_f (/somewhere/ocpi/types.py:1) 1",
    "idle (/elsewhere/threading.py:1) 10",
]


def test_a_function_counts_once_in_a_sample():
    assert inclusive(STACKS) == {
        "workers/sweeper.py sweep": 50.0,
        "gateway/store/store.py write": 15.0,
        "ocpi/types.py _f": 5.0,
    }


def test_nothing_sampled_is_nothing():
    assert inclusive([]) == {}


@pytest.mark.parametrize("process", ["worker-1"])
def test_without_a_sampler_it_is_told_in_a_sentence(process, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "workers", "bench", "profile", "--quick", "--process", process],
        env=os.environ | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("py-spy is needed")
