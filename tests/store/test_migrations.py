"""The migrations and the tables say the same, on both databases, whoever applies them and however often."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, inspect, select, text
from sqlmodel import SQLModel

from gateway import charging
from gateway.domain.metering import energy
from gateway.domain.parties import Role, Scope
from gateway.house import Rules
from gateway.secrets import Secrets
from gateway.settings import Settings
from gateway.store import partner_tokens, partners, rows, schema, transactions
from gateway.store.engine import open_engine
from ocpi.headers import Party
from ocpp_bridge.events import Phase, Reading, TransactionChanged

UPGRADE = (
    "import sys; from gateway.store import schema; from gateway.store.engine import open_engine\n"
    "schema.upgrade(open_engine(sys.argv[1]))"
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def test_an_empty_database_is_brought_to_this_release_and_stays_there(engine: Engine) -> None:
    with engine.begin() as db:
        assert schema.current(db) is None
    for _ in range(2):
        schema.upgrade(engine)
        with engine.begin() as db:
            assert schema.current(db) == schema.head() is not None


def test_the_migrations_make_the_tables_as_the_code_has_them(engine: Engine) -> None:
    schema.upgrade(engine)
    with engine.begin() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_every_index_of_the_code_is_made_with_its_condition(engine: Engine) -> None:
    schema.upgrade(engine)
    option = f"{engine.dialect.name}_where"
    for name, table in SQLModel.metadata.tables.items():
        made = {index["name"]: index for index in inspect(engine).get_indexes(name)}
        for index in table.indexes:
            assert index.name in made
            partial = index.dialect_options[engine.dialect.name]["where"] is not None
            assert (option in made[index.name]["dialect_options"]) == partial


@pytest.mark.parametrize("did_more", [False, True])
def test_a_database_of_either_0005_gets_the_index_of_live_reservations(engine: Engine, did_more: bool) -> None:
    with engine.begin() as db:
        command.upgrade(schema._config(db), "0005")
        if did_more:
            db.exec_driver_sql("DROP INDEX ix_reservation_station")
            live = "state IN ('ACTIVE', 'PENDING', 'UNKNOWN')"
            db.exec_driver_sql(f"CREATE INDEX reservation_live_station ON reservation (station) WHERE {live}")
    schema.upgrade(engine)
    made = {index["name"] for index in inspect(engine).get_indexes("reservation")}
    assert "reservation_live_station" in made
    assert made.isdisjoint({"ix_reservation_station", "ix_reservation_state", "ix_reservation_id_token"})


def test_two_processes_may_upgrade_at_the_same_time(engine: Engine, database_url: str) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", UPGRADE, database_url]) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    with engine.begin() as db:
        assert schema.current(db) == schema.head()


def test_what_a_gateway_was_doing_goes_on_after_an_upgrade(engine: Engine) -> None:
    """A running charge of the first release, with its command, its reservation and what its meter had said."""
    with engine.begin() as db:
        command.upgrade(schema._config(db), "0001")
        _a_running_charge(db)
    schema.upgrade(engine)
    with engine.begin() as db:
        session = db.execute(select(rows.session)).mappings().one()
        assert (session["state"], session["kwh"], session["reservation"]) == ("ACTIVE", Decimal("2.5"), 1)
        assert db.execute(select(rows.command.c.session)).scalar_one() == session["id"]
        assert energy(transactions.messages(db, session["id"])) == Decimal("2.5")
        later = Reading(at=WHEN + timedelta(hours=1), register_wh=Decimal(6000))
        event = TransactionChanged(phase=Phase.ENDED, transaction_id="TX", at=later.at, readings=(later,))
        rules = Rules(settings=Settings(), secrets=Secrets(b"upgrade"))
        charging.transaction(db, "CS", event, rules, WHEN + timedelta(hours=1))
        ended = db.execute(select(rows.session)).mappings().one()
        assert (ended["state"], ended["kwh"]) == ("COMPLETED", 5)


WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_partners_that_were_added_by_hand_go_on_as_before_an_upgrade(engine: Engine) -> None:
    with engine.begin() as db:
        command.upgrade(schema._config(db), "0001")
        _a_running_charge(db)
        db.execute(text("UPDATE partner SET role = 'HUB', callback_hosts = '[\"hub.example\"]'"))
    schema.upgrade(engine)
    with engine.begin() as db:
        found = partner_tokens.holder(db, ["in", "in"], WHEN)
        assert found is not None
        one, credential = found
        assert (one.party, one.role, one.open_parties) == (Party("DE", "ONE"), "HUB", True)
        assert one.callback_hosts == one.registered_hosts == ("hub.example",)
        assert (credential.scope, credential.used) == (Scope.ACCESS, False)
        assert partners.roles(db, one.id) == [Role(party=Party("DE", "ONE"), role="HUB")]
        assert partner_tokens.holder(db, ["another"], WHEN) is None


def _a_running_charge(db: Connection) -> None:
    at = WHEN.replace(tzinfo=None) if db.dialect.name == "sqlite" else WHEN
    for table, row in {
        "cpo": {"id": 1, "country_code": "NL", "party_id": "CPO", "key": "nl*cpo", "name": "A CPO"},
        "station": {"id": "CS", "security_profile": 0},
        "partner": {
            "id": 1, "name": "P", "country_code": "DE", "party_id": "ONE", "role": "EMSP", "version": "2.2.1",
            "token_in": "in", "token_out": "out", "token_out_encoding": "base64", "callback_hosts": "[]",
            "allow_unlock": False, "lenient_token": False, "state": "ACTIVE", "created_at": at,
        },
        "location": {
            "id": 1, "cpo_id": 1, "location_id": "L", "location_key": "l", "body": "{}", "last_updated": at,
        },
        "reservation": {
            "id": 1, "number": 1, "partner": 1, "party_key": "de*one", "reservation_id": "R", "reservation_key": "r",
            "location": 1, "station": "CS", "id_token": "T", "id_token_type": "Central", "expiry_date": at,
            "state": "USED", "superseded": False, "created_at": at, "updated_at": at,
        },
        "session": {
            "id": 7, "session_id": "s-7", "station": "CS", "transaction_id": "TX", "evse_uid": "E1",
            "connector_id": "1", "from_country": "", "from_party": "", "auth_method": "COMMAND", "currency": "EUR",
            "state": "ACTIVE", "start_date_time": at, "meter_start": 1000.0, "meter_last": 3500.0,
            "reservation": 1, "last_updated": at, "created_at": at,
        },
        "command": {
            "id": 1, "type": "STOP_SESSION", "version": "", "from_country": "", "from_party": "", "to_country": "",
            "to_party": "", "request_id": "", "correlation_id": "", "body": "{}", "response_url": "", "response": "",
            "response_code": 1000, "response_text": "", "session": 7, "state": "CONCLUDED", "result_text": "",
            "received_at": at, "deadline": at, "promised_until": at,
        },
    }.items():  # fmt: skip
        _put(db, table, row)


def _put(db: Connection, table: str, row: dict[str, object]) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    values = ", ".join(f":{name}" for name in row)
    db.execute(text(f'INSERT INTO "{table}" ({names}) VALUES ({values})'), row)


def test_what_partners_see_of_evses_is_the_same_after_an_upgrade(engine: Engine) -> None:
    """A status that a station told, one that was imported and one that is ours to say; and a push that is not done."""
    body = {"evses": [{"uid": uid, "status": "AVAILABLE"} for uid in ("Told", "FILE", "gone", "PLAN")]}
    body["evses"][3]["status"] = "PLANNED"
    told_at, later = WHEN + timedelta(hours=1), WHEN + timedelta(hours=2)
    with engine.begin() as db:
        command.upgrade(schema._config(db), "0003")
        at, told = (one.replace(tzinfo=None) if db.dialect.name == "sqlite" else one for one in (WHEN, told_at))
        _put(db, "cpo", {"id": 1, "country_code": "NL", "party_id": "CPO", "key": "nl*cpo", "name": "A CPO"})
        place = {"id": 1, "cpo_id": 1, "location_id": "L", "location_key": "l", "body": json.dumps(body)}
        _put(db, "location", place | {"last_updated": at})
        for number, (uid, status, status_at) in enumerate(
            [
                ("Told", "CHARGING", told),
                ("FILE", "AVAILABLE", None),
                ("gone", "REMOVED", told),
                ("PLAN", "PLANNED", None),
            ]
        ):
            row = {"id": number, "location": 1, "evse_uid": uid, "evse_key": uid.lower(), "status_at": status_at}
            _put(db, "evse", row | {"capabilities": '["RESERVABLE"]', "status": status})
        _put_partner(db, at)
        push = {"partner": 1, "module": "cdrs", "object": 5, "due_at": at, "revision": 3, "attempts": 0, "error": ""}
        _put(db, "push", push | {"id": 1, "created_at": at})
    schema.upgrade(engine)
    with engine.begin() as db:
        seen = {row.evse_uid: row for row in db.execute(select(rows.evse))}
        status = {uid: (row.status, row.imported_status, row.told_status) for uid, row in seen.items()}
        assert status == {
            "Told": ("CHARGING", "AVAILABLE", "CHARGING"),
            "FILE": ("AVAILABLE", "AVAILABLE", None),
            "gone": ("REMOVED", "REMOVED", None),
            "PLAN": ("PLANNED", "PLANNED", None),
        }
        assert {uid: row.last_updated for uid, row in seen.items()} == {
            "Told": told_at, "FILE": WHEN, "gone": told_at, "PLAN": WHEN,
        }  # fmt: skip
        assert seen["Told"].offered == ["RESERVABLE"]
        assert db.execute(select(rows.partner.c.sees_all)).scalar_one() is True
        assert db.execute(select(rows.push.c.revision)).scalar_one() == 3
        # The same object may be owed to several now.
        _put_partner(db, at, 2)
        db.execute(
            rows.push.insert().values(
                id=2, partner=2, module="cdrs", object=5, due_at=later, created_at=later, error=""
            )
        )


def _put_partner(db: Connection, at: datetime, number: int = 1) -> None:
    row = {
        "id": number, "name": f"P{number}", "country_code": "DE", "party_id": "ONE", "role": "EMSP", "version": "2.2.1",
        "token_out": "out", "token_out_encoding": "base64", "callback_hosts": "[]", "allow_unlock": False,
        "lenient_token": False, "state": "ACTIVE", "created_at": at,
    }  # fmt: skip
    _put(db, "partner", row)
