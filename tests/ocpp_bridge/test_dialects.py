"""How each order is said in each version."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ocpp_bridge.dialect import Unsayable
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.orders import (
    ORDER,
    AskAbilities,
    AskBoot,
    AskStatus,
    AskTransaction,
    CancelReservation,
    Configure,
    IdToken,
    RequestStart,
    RequestStop,
    ReserveNow,
    Unlock,
)
from tests.ocpp_bridge.wire import assert_request

ALL = list(DIALECTS)
TWO = ["ocpp2.0.1", "ocpp2.1"]
NOON = datetime(2026, 3, 4, 12, 0, 0, 987654, tzinfo=UTC)
CARD = IdToken(value="04A1B2C3D4E5F6", type="ISO14443")
FLEET = IdToken(value="FLEET-7")
INT32_MAX = 2**31 - 1

RESERVE = ReserveNow(number=42, expiry=NOON, id_token=CARD, group=FLEET, evse=3, connector=2)
START = RequestStart(id_token=CARD, remote_start_id=77, group=FLEET, evse=3, connector=2)

SAID = [
    (
        "ocpp1.6",
        RESERVE,
        "ReserveNow",
        {
            "connectorId": 2,
            "expiryDate": "2026-03-04T12:00:00Z",
            "idTag": "04A1B2C3D4E5F6",
            "parentIdTag": "FLEET-7",
            "reservationId": 42,
        },
    ),
    ("ocpp1.6", CancelReservation(number=42), "CancelReservation", {"reservationId": 42}),
    ("ocpp1.6", START, "RemoteStartTransaction", {"connectorId": 2, "idTag": "04A1B2C3D4E5F6"}),
    ("ocpp1.6", RequestStop(transaction_id="4711"), "RemoteStopTransaction", {"transactionId": 4711}),
    ("ocpp1.6", Unlock(evse=None, connector=2), "UnlockConnector", {"connectorId": 2}),
    (
        "ocpp1.6",
        Configure(key="ConnectionTimeOut", value="60"),
        "ChangeConfiguration",
        {"key": "ConnectionTimeOut", "value": "60"},
    ),
    ("ocpp1.6", AskBoot(), "TriggerMessage", {"requestedMessage": "BootNotification"}),
    ("ocpp1.6", AskStatus(), "TriggerMessage", {"requestedMessage": "StatusNotification"}),
    (
        "ocpp1.6",
        AskStatus(evse=3, connector=2),
        "TriggerMessage",
        {"requestedMessage": "StatusNotification", "connectorId": 2},
    ),
    (
        "ocpp1.6",
        AskAbilities(),
        "GetConfiguration",
        {
            "key": [
                "SupportedFeatureProfiles",
                "ReserveConnectorZeroSupported",
                "ConnectionTimeOut",
                "AuthorizeRemoteTxRequests",
                "NumberOfConnectors",
            ]
        },
    ),
]
SAID += [
    (version, order, action, payload)
    for version in TWO
    for order, action, payload in [
        (
            RESERVE,
            "ReserveNow",
            {
                "id": 42,
                "expiryDateTime": "2026-03-04T12:00:00Z",
                "idToken": {"idToken": "04A1B2C3D4E5F6", "type": "ISO14443"},
                "groupIdToken": {"idToken": "FLEET-7", "type": "Central"},
                "evseId": 3,
            },
        ),
        (CancelReservation(number=42), "CancelReservation", {"reservationId": 42}),
        (
            START,
            "RequestStartTransaction",
            {
                "evseId": 3,
                "idToken": {"idToken": "04A1B2C3D4E5F6", "type": "ISO14443"},
                "groupIdToken": {"idToken": "FLEET-7", "type": "Central"},
                "remoteStartId": 77,
            },
        ),
        (RequestStop(transaction_id="tx-1"), "RequestStopTransaction", {"transactionId": "tx-1"}),
        (Unlock(evse=3, connector=2), "UnlockConnector", {"evseId": 3, "connectorId": 2}),
        (
            Configure(key="TxCtrlr.EVConnectionTimeOut", value="60"),
            "SetVariables",
            {
                "setVariableData": [
                    {
                        "component": {"name": "TxCtrlr"},
                        "variable": {"name": "EVConnectionTimeOut"},
                        "attributeValue": "60",
                    }
                ]
            },
        ),
        (AskTransaction(transaction_id="tx-1"), "GetTransactionStatus", {"transactionId": "tx-1"}),
        (AskBoot(), "TriggerMessage", {"requestedMessage": "BootNotification"}),
        (
            AskStatus(evse=3, connector=2),
            "TriggerMessage",
            {"requestedMessage": "StatusNotification", "evse": {"id": 3, "connectorId": 2}},
        ),
        (
            AskStatus(evse=3),
            "TriggerMessage",
            {"requestedMessage": "StatusNotification", "evse": {"id": 3, "connectorId": 1}},
        ),
        (
            AskAbilities(),
            "GetVariables",
            {
                "getVariableData": [
                    {"component": {"name": "ReservationCtrlr"}, "variable": {"name": "Available"}},
                    {"component": {"name": "ReservationCtrlr"}, "variable": {"name": "Enabled"}},
                    {"component": {"name": "ReservationCtrlr"}, "variable": {"name": "NonEvseSpecific"}},
                    {"component": {"name": "TxCtrlr"}, "variable": {"name": "EVConnectionTimeOut"}},
                    {"component": {"name": "AuthCtrlr"}, "variable": {"name": "AuthorizeRemoteStart"}},
                ]
            },
        ),
    ]
]


@pytest.mark.parametrize(("version", "order", "action", "payload"), SAID)
def test_each_order_is_said_in_the_words_of_the_version(version, order, action, payload):
    assert DIALECTS[version].say(order) == (action, payload)
    assert_request(version, action, payload)
    assert ORDER.validate_python(ORDER.dump_python(order, mode="json")) == order


def test_the_dialects_stand_newest_first():
    assert ALL == ["ocpp2.1", "ocpp2.0.1", "ocpp1.6"]
    assert all(dialect.subprotocol == name for name, dialect in DIALECTS.items())


@pytest.mark.parametrize("version", ALL)
def test_a_reservation_of_the_whole_station_names_no_place(version):
    _, payload = DIALECTS[version].say(replace(RESERVE, evse=None, connector=None))
    assert payload.get("connectorId", 0) == 0
    assert "evseId" not in payload
    assert ("connectorId" in payload) == (version == "ocpp1.6")


@pytest.mark.parametrize("version", ALL)
def test_a_start_without_a_place_leaves_the_field_out(version):
    _, payload = DIALECTS[version].say(replace(START, evse=None, connector=None))
    assert not {"evseId", "connectorId"} & set(payload)


@pytest.mark.parametrize("version", ALL)
def test_an_order_without_a_group_says_none(version):
    for order in (replace(RESERVE, group=None), replace(START, group=None)):
        _, payload = DIALECTS[version].say(order)
        assert not {"parentIdTag", "groupIdToken"} & set(payload)


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize(
    "expiry",
    [
        NOON.astimezone(timezone(timedelta(hours=5, minutes=30))),
        NOON.replace(tzinfo=None),
    ],
)
def test_the_expiry_is_said_in_utc_and_whole_seconds(version, expiry):
    _, payload = DIALECTS[version].say(replace(RESERVE, expiry=expiry))
    assert "2026-03-04T12:00:00Z" in payload.values()


@pytest.mark.parametrize("version", TWO)
def test_a_type_of_connector_is_said_without_an_evse(version):
    _, payload = DIALECTS[version].say(replace(RESERVE, evse=None, connector=None, connector_type="cCCS2"))
    assert payload["connectorType"] == "cCCS2"
    assert "evseId" not in payload


def test_2_1_takes_types_of_connectors_and_tokens_that_2_0_1_does_not_know():
    newer = [
        replace(RESERVE, evse=None, connector=None, connector_type="cNACS"),
        replace(RESERVE, id_token=IdToken(value="WVWZZZ1JZ3W386752", type="VIN")),
        replace(RESERVE, id_token=IdToken(value="X" * 255)),
    ]
    for order in newer:
        assert_request("ocpp2.1", *DIALECTS["ocpp2.1"].say(order))
        with pytest.raises(Unsayable):
            DIALECTS["ocpp2.0.1"].say(order)


@pytest.mark.parametrize(("version", "longest"), [("ocpp1.6", 20), ("ocpp2.0.1", 36), ("ocpp2.1", 255)])
def test_a_token_is_never_longer_than_its_version_allows(version, longest):
    fits, too_long = IdToken(value="X" * longest), IdToken(value="X" * (longest + 1))
    for order in (RESERVE, START):
        DIALECTS[version].say(replace(order, id_token=fits, group=fits))
        with pytest.raises(Unsayable):
            DIALECTS[version].say(replace(order, id_token=too_long))
    with pytest.raises(Unsayable):
        DIALECTS[version].say(replace(RESERVE, group=too_long))


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize(
    "order",
    [
        replace(RESERVE, number=0),
        replace(RESERVE, number=-1),
        replace(RESERVE, number=INT32_MAX + 1),
        replace(RESERVE, evse=0, connector=0),
        replace(RESERVE, evse=-1, connector=-1),
        replace(RESERVE, id_token=IdToken(value="")),
        replace(RESERVE, id_token=IdToken(value="grün")),
        replace(RESERVE, group=IdToken(value="a\nb")),
        CancelReservation(number=0),
        CancelReservation(number=2**40),
        replace(START, evse=0, connector=0),
        replace(START, id_token=IdToken(value="\x00")),
        RequestStop(transaction_id=""),
        RequestStop(transaction_id="9" * 37),
        Unlock(evse=1, connector=0),
        AskStatus(evse=-1, connector=-1),
        AskTransaction(transaction_id=""),
        AskTransaction(transaction_id="9" * 37),
        Configure(key="K" * 51, value="60"),
        Configure(key="C.V", value="6" * 2501),
    ],
)
def test_what_the_schemas_would_let_pass_is_refused_before_it_is_sent(version, order):
    with pytest.raises(Unsayable):
        DIALECTS[version].say(order)


@pytest.mark.parametrize(
    "order",
    [
        replace(RESERVE, evse=3, connector=None),
        replace(RESERVE, evse=None, connector=None, connector_type="cCCS2"),
        replace(START, evse=3, connector=None),
        AskTransaction(transaction_id="4711"),
        *(RequestStop(transaction_id=text) for text in ("tx-1", "-1", "0", " 7", "07", "7.0", "1e3", str(2**31))),
    ],
)
def test_what_1_6_has_no_word_for_is_refused(order):
    with pytest.raises(Unsayable):
        DIALECTS["ocpp1.6"].say(order)


@pytest.mark.parametrize("version", TWO)
@pytest.mark.parametrize(
    "order",
    [
        replace(RESERVE, connector_type="cCCS2"),
        replace(RESERVE, evse=None),
        replace(START, evse=None),
        replace(START, remote_start_id=0),
        replace(RESERVE, id_token=IdToken(value="a b")),
        replace(RESERVE, id_token=IdToken(value="a/b")),
        replace(RESERVE, id_token=IdToken(value="abc", type="x" * 21)),
        Unlock(evse=None, connector=1),
        Configure(key="ConnectionTimeOut", value="60"),
        Configure(key="TxCtrlr.", value="60"),
        Configure(key=".EVConnectionTimeOut", value="60"),
    ],
)
def test_what_2_x_has_no_word_for_is_refused(version, order):
    with pytest.raises(Unsayable):
        DIALECTS[version].say(order)


@pytest.mark.parametrize("version", ALL)
def test_a_refusal_never_repeats_the_token(version):
    secret = "S3CRET" * 50
    with pytest.raises(Unsayable) as refused:
        DIALECTS[version].say(replace(RESERVE, id_token=IdToken(value=secret)))
    assert "S3CRET" not in str(refused.value)


@pytest.mark.parametrize("version", ALL)
def test_the_largest_ids_can_be_said(version):
    _, payload = DIALECTS[version].say(replace(RESERVE, number=INT32_MAX))
    assert INT32_MAX in payload.values()


def test_each_version_spells_its_error_codes_in_its_own_way():
    assert DIALECTS["ocpp1.6"].format_violation == "FormationViolation"
    assert DIALECTS["ocpp1.6"].occurrence_violation == "OccurenceConstraintViolation"
    for version in TWO:
        assert DIALECTS[version].format_violation == "FormatViolation"
        assert DIALECTS[version].occurrence_violation == "OccurrenceConstraintViolation"
    assert [DIALECTS[version].unreadable_id for version in ALL] == ["-1", "-1", None]
    assert [DIALECTS[version].type_not_supported for version in ALL] == [None, "MessageTypeNotSupported", None]


@pytest.mark.parametrize(
    ("abilities", "takes"),
    [
        ({}, None),
        ({"SupportedFeatureProfiles": "Core,Reservation"}, None),
        ({"SupportedFeatureProfiles": "Core, reservation", "ReserveConnectorZeroSupported": "TRUE"}, True),
        ({"SupportedFeatureProfiles": "Core,Reservation", "ReserveConnectorZeroSupported": "false"}, False),
        ({"SupportedFeatureProfiles": "Core", "ReserveConnectorZeroSupported": "true"}, False),
        ({"ReserveConnectorZeroSupported": "true"}, True),
        ({"ReserveConnectorZeroSupported": ""}, None),
    ],
)
def test_1_6_takes_whole_station_reservations_when_it_says_so(abilities, takes):
    assert DIALECTS["ocpp1.6"].whole_station(abilities) is takes


@pytest.mark.parametrize("version", TWO)
@pytest.mark.parametrize(
    ("said", "takes"),
    [
        ({}, None),
        ({"NonEvseSpecific": "true"}, True),
        ({"NonEvseSpecific": "True", "Available": "true", "Enabled": "true"}, True),
        ({"NonEvseSpecific": "true", "Enabled": "false"}, False),
        ({"NonEvseSpecific": "true", "Available": "FALSE"}, False),
        ({"NonEvseSpecific": "false"}, False),
        ({"Available": "true", "Enabled": "true"}, None),
    ],
)
def test_2_x_takes_whole_station_reservations_when_it_says_so(version, said, takes):
    abilities = {f"ReservationCtrlr.{name}": value for name, value in said.items()}
    assert DIALECTS[version].whole_station(abilities) is takes


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        ("60", 60),
        (" 120 ", 120),
        ("86400", 86400),
        *((nonsense, None) for nonsense in ("0", "-5", "1600000000", "9" * 5000, "soon", "", "²")),
    ],
)
def test_the_time_to_plug_in_is_believed_within_bounds(version, raw, seconds):
    name = "ConnectionTimeOut" if version == "ocpp1.6" else "TxCtrlr.EVConnectionTimeOut"
    assert DIALECTS[version].connection_timeout({name: raw}) == seconds
    assert DIALECTS[version].connection_timeout({}) is None


@pytest.mark.parametrize(
    ("said", "takes"),
    [
        (None, None),
        ("", None),
        (" , ", None),
        ("Core, RESERVATION", True),
        ("Core,SmartCharging", False),
    ],
)
def test_1_6_takes_reservations_unless_its_profiles_say_no(said, takes):
    abilities = {} if said is None else {"SupportedFeatureProfiles": said}
    assert DIALECTS["ocpp1.6"].reserves(abilities) is takes


@pytest.mark.parametrize("version", TWO)
@pytest.mark.parametrize(
    ("said", "takes"),
    [
        ({}, None),
        ({"Available": "true"}, None),
        ({"Available": "true", "Enabled": "true"}, True),
        ({"Available": "true", "Enabled": "False"}, False),
        ({"Available": "false"}, False),
        ({"NonEvseSpecific": "false"}, None),
        ({"Available": "yes", "Enabled": "true"}, None),
    ],
)
def test_h01_fr_01_2_x_takes_reservations_unless_it_says_no(version, said, takes):
    abilities = {f"ReservationCtrlr.{name}": value for name, value in said.items()}
    assert DIALECTS[version].reserves(abilities) is takes


@pytest.mark.parametrize(
    ("raw", "count"),
    [("2", 2), (" 100 ", 100), *((raw, None) for raw in ("0", "-1", "101", "1600000000", "two", "", "2.0", "²"))],
)
def test_connectors_are_counted_within_bounds(raw, count):
    assert DIALECTS["ocpp1.6"].connectors({"NumberOfConnectors": raw}) == count
    for version in TWO:
        assert DIALECTS[version].connectors({"NumberOfConnectors": raw}) is None


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize(("raw", "asks"), [("true", True), ("FALSE", False), ("perhaps", None)])
def test_a_station_says_whether_it_asks_about_tokens_that_we_start(version, raw, asks):
    name = "AuthorizeRemoteTxRequests" if version == "ocpp1.6" else "AuthCtrlr.AuthorizeRemoteStart"
    assert DIALECTS[version].authorizes_remote_starts({name: raw}) is asks
    assert DIALECTS[version].authorizes_remote_starts({}) is None


def test_the_types_of_connectors_are_those_of_the_official_schemas():
    assert DIALECTS["ocpp1.6"].connector_types == frozenset()
    types = DIALECTS["ocpp2.0.1"].connector_types
    assert len(types) == 22
    for type_ in types:
        DIALECTS["ocpp2.0.1"].say(replace(RESERVE, evse=None, connector=None, connector_type=type_))
    # Known to the library, but not to the version's schema.
    assert "cGBT" not in types
    assert DIALECTS["ocpp2.1"].connector_types is None
