"""What differs between the OCPI versions, as a table; everything else is the same."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from ocpi import v2_2
from ocpi.cdrs import CDR
from ocpi.commands import CommandType
from ocpi.dialect import Dialect
from ocpi.dialects import DIALECTS, NEWEST
from ocpi.locations import ConnectorType, Location, PowerType
from ocpi.sessions import Session
from ocpi.tariffs import Tariff
from tests.ocpi.test_cdrs import PERIOD, PLUGGED, RECORD
from tests.ocpi.test_locations import CONNECTOR, EVSE_A1, FULL
from tests.ocpi.test_tariffs import FULL as TARIFF
from tests.ocpi.vectors import names, ours

START = ours("commands/requests/2.2.1-only.START_SESSION.connector.json")


def start_session(dialect: Dialect, **fields: Any) -> dict[str, Any]:
    return dialect.commands[CommandType.START_SESSION].model_validate(START | fields).wire()


def documented(dialect: Dialect) -> set[str]:
    return set(dialect.commands[CommandType.START_SESSION].model_json_schema()["properties"])


def session(dialect: Dialect) -> dict[str, Any]:
    return dialect.render_session(Session.model_validate(ours("sessions/2.2.1.put.reservation.json")))


def location(dialect: Dialect, **fields: Any) -> dict[str, Any]:
    return dialect.render_location(Location.model_validate(FULL | fields))


def with_connectors(*differences: dict[str, Any]) -> dict[str, Any]:
    return EVSE_A1 | {"connectors": [CONNECTOR | difference for difference in differences]}


def connectors(dialect: Dialect, *differences: dict[str, Any]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = location(dialect, evses=[with_connectors(*differences)])["evses"][0]["connectors"]
    return told


def cdr(dialect: Dialect, **fields: Any) -> dict[str, Any]:
    return dialect.render_cdr(CDR.model_validate(RECORD | fields))


def cdr_location(dialect: Dialect, **fields: Any) -> dict[str, Any]:
    told: dict[str, Any] = cdr(dialect, cdr_location=PLUGGED | fields)["cdr_location"]
    return told


def signed(length: int) -> dict[str, Any]:
    value = {"nature": "Start", "plain_data": "x" * length, "signed_data": "eA=="}
    return {"encoding_method": "OCMF", "signed_values": [value]}


DIFFERENCES: list[tuple[str, Callable[[Dialect], Any], Any, Any]] = [
    # what                                        how it is seen                       2.2           2.2.1
    ("rule_164 connector_id is heard", lambda d: start_session(d).get("connector_id"), None, "2"),
    ("rule_164 connector_id is documented", lambda d: "connector_id" in documented(d), False, True),
    (
        "rule_193 fields of CdrToken",
        lambda d: sorted(session(d)["cdr_token"]),
        ["contract_id", "type", "uid"],
        ["contract_id", "country_code", "party_id", "type", "uid"],
    ),
    (
        "rule_224 START_SESSION_CONNECTOR_REQUIRED",
        lambda d: location(d)["evses"][0]["capabilities"],
        ["RESERVABLE"],
        ["RESERVABLE", "START_SESSION_CONNECTOR_REQUIRED"],
    ),
    ("rule_70 codes of hubs", lambda d: min(d.hub_codes), 4001, 4000),
    ("longest address", lambda d: len(location(d, address="x" * 255)["address"]), 45, 255),
    ("longest state", lambda d: len(location(d, state="x" * 45)["state"]), 20, 45),
    ("two phases", lambda d: connectors(d, {"power_type": "AC_2_PHASE"})[0]["power_type"], "AC_1_PHASE", "AC_2_PHASE"),
    ("a newer plug", lambda d: len(connectors(d, {}, {"id": "2", "standard": "NEMA_14_50"})), 1, 2),
    (
        "rule_193 fields of a CDR's CdrToken",
        lambda d: sorted(cdr(d)["cdr_token"]),
        ["contract_id", "type", "uid"],
        ["contract_id", "country_code", "party_id", "type", "uid"],
    ),
    (
        "a CDR's place without a postal code",
        lambda d: cdr_location(d, postal_code=None).get("postal_code"),
        "#NA",
        None,
    ),
    ("a CDR's state", lambda d: cdr_location(d, state="Utrecht").get("state"), None, "Utrecht"),
    (
        "a CDR's newer plug",
        lambda d: cdr_location(d, connector_standard="NEMA_14_50")["connector_standard"],
        "DOMESTIC_B",
        "NEMA_14_50",
    ),
    (
        "a CDR's two phases",
        lambda d: cdr_location(d, connector_power_type="AC_2_PHASE")["connector_power_type"],
        "AC_1_PHASE",
        "AC_2_PHASE",
    ),
    (
        "charging at home",
        lambda d: cdr(d, home_charging_compensation=True).get("home_charging_compensation"),
        None,
        True,
    ),
    ("short signed data", lambda d: cdr(d, signed_data=signed(512)).get("signed_data"), signed(512), signed(512)),
    ("longer signed data", lambda d: cdr(d, signed_data=signed(513)).get("signed_data"), None, signed(513)),
    (
        "an EVSE that has newer plugs only",
        lambda d: len(location(d, evses=[with_connectors({"standard": "GBT_DC"})]).get("evses", [])),
        0,
        1,
    ),
]


@pytest.mark.parametrize(
    ("seen", "older", "newer"), [row[1:] for row in DIFFERENCES], ids=[row[0] for row in DIFFERENCES]
)
def test_what_2_2_and_2_2_1_say_differently(seen: Callable[[Dialect], Any], older: Any, newer: Any) -> None:
    assert (seen(DIALECTS["2.2"]), seen(DIALECTS["2.2.1"])) == (older, newer)


def test_the_newest_version_comes_first() -> None:
    assert list(DIALECTS) == ["2.2.1", "2.2"]
    assert next(iter(DIALECTS.values())) is NEWEST
    assert all(dialect.version == version for version, dialect in DIALECTS.items())


def test_rule_164_a_connector_without_an_evse_is_no_error_where_it_is_not_heard() -> None:
    assert "connector_id" not in start_session(DIALECTS["2.2"], evse_uid=None)
    assert "connector_id" not in start_session(DIALECTS["2.2"], connector_id={"not": "even text"})
    with pytest.raises(ValidationError):
        start_session(DIALECTS["2.2.1"], evse_uid=None)


@pytest.mark.parametrize("type_", sorted(set(CommandType) - {CommandType.START_SESSION}))
def test_the_other_commands_are_the_same_in_both(type_: CommandType) -> None:
    assert DIALECTS["2.2"].commands[type_] is DIALECTS["2.2.1"].commands[type_]


@pytest.mark.parametrize("name", names("sessions/2.2.1.put.*.json"))
def test_rule_193_a_session_is_written_in_the_partners_version(name: str) -> None:
    told = Session.model_validate(ours(name))
    for version, dialect in DIALECTS.items():
        assert dialect.render_session(told) == ours(name.replace("2.2.1.put", f"{version}.put"))


def test_a_session_of_2_2_without_an_owner_is_no_session_of_2_2_1() -> None:
    older = ours("sessions/2.2.put.reservation.json")
    assert DIALECTS["2.2"].session.model_validate(older)
    with pytest.raises(ValidationError, match="country_code"):
        DIALECTS["2.2.1"].session.model_validate(older)


def test_a_location_that_2_2_can_tell_is_told_whole() -> None:
    plain = {"evses": [EVSE_A1 | {"capabilities": ["RESERVABLE"]}]}
    assert location(DIALECTS["2.2"], **plain) == location(NEWEST, **plain) == FULL | plain


def test_a_tariff_is_the_same_in_both() -> None:
    assert {version: dialect.render_tariff(Tariff.model_validate(TARIFF)) for version, dialect in DIALECTS.items()} == {
        "2.2.1": TARIFF,
        "2.2": TARIFF,
    }


def test_a_cdr_that_2_2_can_tell_differs_in_its_token_alone() -> None:
    differing = {name for name, told in cdr(NEWEST).items() if cdr(DIALECTS["2.2"]).get(name) != told}
    assert differing == {"cdr_token"}
    assert cdr(NEWEST) == RECORD
    assert cdr(NEWEST)["charging_periods"] == [PERIOD]


def test_a_location_without_a_state_is_not_given_one() -> None:
    assert "state" not in location(DIALECTS["2.2"], state=None)


def test_no_older_word_is_itself_newer() -> None:
    assert set(v2_2.OLDER_POWER_TYPES.values()) == {PowerType.AC_1_PHASE}
    assert len(set(ConnectorType) - v2_2.NEWER_PLUGS) == 27
    assert not set(v2_2.OLDER_PLUGS.values()) & v2_2.NEWER_PLUGS
