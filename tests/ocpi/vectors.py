"""The OCPI test vectors: our own, and the specification's examples where they lie beside the repository."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ocpi.dialects import DIALECTS

_REPOSITORY = Path(__file__).parents[2]
#: Written for this project.
OURS = _REPOSITORY / "tests/vectors/ocpi/derived"
#: CC BY-ND, so read where they lie and never copied: GATEWAY_TEST_VECTORS, or beside the checkout.
_GIVEN = os.environ.get("GATEWAY_TEST_VECTORS")
SPECIFICATION = Path(_GIVEN) if _GIVEN else _REPOSITORY.parent / "shared/vectors/ocpi"


def ours(path: str) -> Any:
    return json.loads((OURS / path).read_bytes())


def names(pattern: str) -> list[str]:
    """Our vectors whose path matches, for parametrize."""
    return sorted(str(path.relative_to(OURS)) for path in OURS.glob(pattern))


def specified(version: str, name: str) -> Any:
    """An example of the specification; the test is skipped where there are none, but not where they should be."""
    path = SPECIFICATION / version / f"{name}.json"
    if not path.exists() and _GIVEN is None:
        pytest.skip(f"the specification's examples are not in {SPECIFICATION}; see GATEWAY_TEST_VECTORS")
    return json.loads(path.read_bytes())


def all_specified() -> list[tuple[str, str]]:
    """(version, name) of every example, for parametrize; where there are none, one that is skipped."""
    found = [(path.parent.name, path.stem) for version in DIALECTS for path in SPECIFICATION.glob(f"{version}/*.json")]
    return sorted(found) or [("2.2.1", "none")]
