"""The OCPI test vectors: our own, and the specification's examples where they lie beside the repository."""

import json
from pathlib import Path
from typing import Any

import pytest

_REPOSITORY = Path(__file__).parents[2]
#: Written for this project.
OURS = _REPOSITORY / "tests/vectors/ocpi/derived"
#: CC BY-ND, so read where they lie and never copied.
SPECIFICATION = _REPOSITORY.parent / "shared/vectors/ocpi"


def ours(path: str) -> Any:
    return json.loads((OURS / path).read_bytes())


def names(pattern: str) -> list[str]:
    """Our vectors whose path matches, for parametrize."""
    return sorted(str(path.relative_to(OURS)) for path in OURS.glob(pattern))


def specified(version: str, name: str) -> Any:
    """An example of the specification; the test is skipped where there are none."""
    path = SPECIFICATION / version / f"{name}.json"
    if not path.exists():
        pytest.skip("the specification's examples are not here")
    return json.loads(path.read_bytes())
