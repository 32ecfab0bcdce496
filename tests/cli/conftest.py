"""The operators' commands on a database of their own, and the file that most tests import."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from gateway.cli.app import add_to
from gateway.store.engine import open_engine

PASSWORD = "correct-horse-battery"


def connector(id_: str) -> dict[str, Any]:
    return {
        "id": id_,
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "last_updated": "2026-01-01T00:00:00Z",
    }


def evse(uid: str, *connectors: str, **changes: Any) -> dict[str, Any]:
    return {
        "uid": uid,
        "status": "AVAILABLE",
        "capabilities": ["RESERVABLE"],
        "connectors": [connector(one) for one in connectors or ("1",)],
        "last_updated": "2026-01-01T00:00:00Z",
    } | changes


def location(id_: str, *evses: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "country_code": "NL",
        "party_id": "CPO",
        "id": id_,
        "publish": True,
        "address": "Square 1",
        "city": "Utrecht",
        "country": "NLD",
        "coordinates": {"latitude": "52.379189", "longitude": "4.899431"},
        "time_zone": "Europe/Amsterdam",
        "name": f"Place {id_}",
        "evses": list(evses),
        "last_updated": "2026-01-01T00:00:00Z",
    } | changes


WHOLE: dict[str, Any] = {
    "locations": [location("LOC-1", evse("E-1", "1", "2"), evse("E-2")), location("LOC-2", evse("E-1"))],
    "stations": [
        {"id": "CS-1", "password": PASSWORD},
        {"id": "CS-16", "security_profile": 0},
    ],
    "bindings": [
        {"location_id": "LOC-1", "evse_uid": "E-1", "connector_id": "1", "station": "CS-1", "evse": 1, "connector": 1},
        {"location_id": "LOC-1", "evse_uid": "E-1", "connector_id": "2", "station": "CS-1", "evse": 1, "connector": 2},
        {"location_id": "LOC-1", "evse_uid": "E-2", "station": "CS-1", "evse": 2},
        {"location_id": "LOC-2", "evse_uid": "E-1", "station": "CS-16", "connector": 1},
    ],
}


@dataclass
class Operator:
    """Somebody at a terminal."""

    url: str
    data: Path
    app: typer.Typer

    def __call__(self, *words: str | Path) -> Result:
        environment = {"GATEWAY_DATA_DIR": str(self.data), "GATEWAY_DATABASE_URL": self.url}
        return CliRunner().invoke(self.app, [str(word) for word in words], env=environment)

    def does(self, *words: str | Path) -> str:
        """What a command that works says."""
        result = self(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    def sees(self, *words: str | Path) -> Any:
        """The JSON of a command that works."""
        return json.loads(self.does(*words, "--json"))

    def hears(self, *words: str | Path) -> str:
        """The sentence on stderr of a command that cannot be carried out."""
        result = self(*words)
        assert (result.exit_code, result.stdout) == (1, ""), result.output
        assert "Traceback" not in result.stderr
        return result.stderr

    def database(self, work: Callable[[Connection], Any]) -> Any:
        engine = open_engine(self.url or f"sqlite:///{self.data / 'gateway.db'}")
        try:
            with engine.begin() as db:
                return work(db)
        finally:
            engine.dispose()

    def imports(self, contents: Any) -> Result:
        return self("locations", "import", self.file(contents))

    def file(self, contents: Any) -> Path:
        file = self.data.parent / "import.json"
        file.write_bytes(contents if isinstance(contents, bytes) else json.dumps(contents).encode())
        return file

    def adds_partner(self, name: str = "Emsp", **options: str) -> Any:
        given = {"country": "DE", "party": "EMS", "token-in": f"in-{name}", "token-out": "out"} | options
        words = [word for option, value in given.items() for word in (f"--{option}", value)]
        return self.sees("partner", "add", "--name", name, "--callback-host", "emsp.example", *words)


def application() -> typer.Typer:
    app = typer.Typer()
    add_to(app)
    return app


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """With the default database: SQLite in the data directory."""
    return Operator(url="", data=tmp_path / "data", app=application())


@pytest.fixture
def cpo(operator: Operator) -> Operator:
    """An operator who has a party."""
    operator.does("cpo", "add", "--country", "NL", "--party", "CPO", "--name", "Our CPO")
    return operator


@pytest.fixture
def whole() -> dict[str, Any]:
    """A file in which everything is right, to spoil."""
    return deepcopy(WHOLE)
