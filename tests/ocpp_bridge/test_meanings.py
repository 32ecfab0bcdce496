"""How an answer is read, and what it means."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp.exceptions import OCPPError
from ocpp.v16 import enums as v16
from ocpp.v21 import enums as v21
from ocpp.v201 import enums as v201

from ocpi.commands import CommandResultType as Result
from ocpp_bridge.answers import ANSWER, Answer, Ending
from ocpp_bridge.dialect import Happened, Meaning
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.meanings import CALL_ERRORS
from ocpp_bridge.orders import (
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

ALL = list(DIALECTS)
TWO = ["ocpp2.0.1", "ocpp2.1"]
TOKEN = IdToken(value="ABC")
RESERVE = ReserveNow(number=1, expiry=datetime(2026, 1, 1, tzinfo=UTC), id_token=TOKEN, evse=1, connector=1)
CANCEL = CancelReservation(number=1)
START = RequestStart(id_token=TOKEN, remote_start_id=1)
STOP = RequestStop(transaction_id="1")
UNLOCK = Unlock(evse=1, connector=1)
ORDERS = [RESERVE, CANCEL, START, STOP, UNLOCK]
YES, NO, UNKNOWN = Happened.YES, Happened.NO, Happened.UNKNOWN


def meaning_of(version, order, payload):
    dialect = DIALECTS[version]
    meaning = dialect.meaning(order, dialect.read(order, payload))
    return meaning.result, meaning.happened


@pytest.mark.parametrize(
    ("version", "order", "statuses"),
    [
        ("ocpp1.6", ReserveNow, v16.ReservationStatus),
        ("ocpp1.6", CancelReservation, v16.CancelReservationStatus),
        ("ocpp1.6", RequestStart, v16.RemoteStartStopStatus),
        ("ocpp1.6", RequestStop, v16.RemoteStartStopStatus),
        ("ocpp1.6", Unlock, v16.UnlockStatus),
        ("ocpp1.6", Configure, v16.ConfigurationStatus),
        ("ocpp1.6", AskStatus, v16.TriggerMessageStatus),
        ("ocpp1.6", AskBoot, v16.TriggerMessageStatus),
        *(
            (version, order, getattr(enums, name))
            for version, enums in (("ocpp2.0.1", v201), ("ocpp2.1", v21))
            for order, name in (
                (ReserveNow, "ReserveNowStatusEnumType"),
                (CancelReservation, "CancelReservationStatusEnumType"),
                (RequestStart, "RequestStartStopStatusEnumType"),
                (RequestStop, "RequestStartStopStatusEnumType"),
                (Unlock, "UnlockStatusEnumType"),
                (Configure, "SetVariableStatusEnumType"),
                (AskStatus, "TriggerMessageStatusEnumType"),
                (AskBoot, "TriggerMessageStatusEnumType"),
            )
        ),
    ],
)
def test_every_status_of_the_version_has_a_meaning(version, order, statuses):
    assert set(DIALECTS[version].verbs[order].meanings) == set(statuses)


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize(
    ("order", "status", "result", "happened"),
    [
        (RESERVE, "Accepted", Result.ACCEPTED, YES),
        (RESERVE, "Occupied", Result.EVSE_OCCUPIED, NO),
        (RESERVE, "Faulted", Result.EVSE_INOPERATIVE, NO),
        (RESERVE, "Unavailable", Result.EVSE_INOPERATIVE, NO),
        (RESERVE, "Rejected", Result.REJECTED, NO),
        (CANCEL, "Accepted", Result.ACCEPTED, YES),
        (CANCEL, "Rejected", Result.UNKNOWN_RESERVATION, NO),
        (START, "Accepted", Result.ACCEPTED, YES),
        (START, "Rejected", Result.REJECTED, NO),
        (STOP, "Accepted", Result.ACCEPTED, YES),
        (STOP, "Rejected", Result.REJECTED, NO),
        (UNLOCK, "Unlocked", Result.ACCEPTED, YES),
        (UNLOCK, "UnlockFailed", Result.FAILED, NO),
    ],
)
def test_a_status_means_the_same_in_every_version(version, order, status, result, happened):
    assert meaning_of(version, order, {"status": status}) == (result, happened)
    assert meaning_of(version, order, {"status": status.lower(), "vendorSays": 1}) == (result, happened)


@pytest.mark.parametrize(
    ("version", "status", "result"),
    [("ocpp1.6", "NotSupported", Result.NOT_SUPPORTED)]
    + [(version, "OngoingAuthorizedTransaction", Result.REJECTED) for version in TWO]
    + [(version, "UnknownConnector", Result.REJECTED) for version in TWO],
)
def test_a_connector_that_stays_locked_tells_why(version, status, result):
    assert meaning_of(version, UNLOCK, {"status": status}) == (result, NO)


@pytest.mark.parametrize("version", TWO)
@pytest.mark.parametrize(
    ("order", "status", "reason", "result"),
    [
        (RESERVE, "Rejected", "NotEnabled", Result.NOT_SUPPORTED),
        (RESERVE, "Rejected", "UnsupportedRequest", Result.NOT_SUPPORTED),
        (RESERVE, "Rejected", "InternalError", Result.FAILED),
        (RESERVE, "Rejected", "OutOfMemory", Result.FAILED),
        (RESERVE, "Rejected", "UnknownEvse", Result.REJECTED),
        (RESERVE, "Occupied", "NotEnabled", Result.EVSE_OCCUPIED),
        (START, "Rejected", "TxInProgress", Result.EVSE_OCCUPIED),
        (START, "Rejected", "NotEnabled", Result.NOT_SUPPORTED),
        (START, "Rejected", "UnsupportedRequest", Result.NOT_SUPPORTED),
        (START, "Rejected", "InvalidIdToken", Result.REJECTED),
        (STOP, "Rejected", "TxNotFound", Result.REJECTED),
        (UNLOCK, "UnlockFailed", "FixedCable", Result.NOT_SUPPORTED),
        (UNLOCK, "UnlockFailed", "Unspecified", Result.FAILED),
    ],
)
def test_a_reason_code_refines_a_refusal(version, order, status, reason, result):
    for spelling in (reason, reason.upper()):
        payload = {"status": status, "statusInfo": {"reasonCode": spelling}}
        assert meaning_of(version, order, payload) == (result, NO)


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("order", ORDERS)
def test_a_status_newer_than_we_are_leaves_us_not_knowing(version, order):
    answer = DIALECTS[version].read(order, {"status": "Postponed"})
    assert (answer.ending, answer.status) == (Ending.RESULT, "Postponed")
    assert meaning_of(version, order, {"status": "Postponed"}) == (Result.FAILED, UNKNOWN)


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("order", [*ORDERS, AskAbilities()])
@pytest.mark.parametrize("payload", [None, {}, [], "Accepted", 3, {"status": None}, {"status": ["Accepted"]}])
def test_an_answer_that_says_nothing_is_a_bad_result(version, order, payload):
    assert DIALECTS[version].read(order, payload).ending is Ending.BAD_RESULT
    assert meaning_of(version, order, payload) == (Result.FAILED, UNKNOWN)


@pytest.mark.parametrize("version", TWO)
def test_what_the_station_adds_to_its_status_is_kept(version):
    info = {"reasonCode": "TxInProgress", "additionalInfo": "x" * 1024}
    answer = DIALECTS[version].read(START, {"status": "Rejected", "statusInfo": info, "transactionId": "tx-9"})
    assert (answer.status, answer.reason, answer.detail) == ("Rejected", "TxInProgress", "x" * 512)
    assert answer.transaction_id == "tx-9"
    assert ANSWER.validate_python(ANSWER.dump_python(answer, mode="json")) == answer


@pytest.mark.parametrize("version", TWO)
@pytest.mark.parametrize("info", [None, "busy", [], {"reasonCode": None}, {"additionalInfo": 7}])
def test_a_broken_status_info_costs_nothing(version, info):
    assert meaning_of(version, RESERVE, {"status": "Accepted", "statusInfo": info}) == (Result.ACCEPTED, YES)


NOT_DONE = [
    "FormatViolation",
    "FormationViolation",
    "ProtocolError",
    "PropertyConstraintViolation",
    "OccurrenceConstraintViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "SecurityError",
    "RpcFrameworkError",
    "MessageTypeNotSupported",
    "VendorError",
    "",
]


def test_every_error_code_of_the_library_has_a_meaning():
    assert {error.code for error in OCPPError.__subclasses__()} <= set(CALL_ERRORS)


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("order", ORDERS)
def test_an_error_tells_whether_the_station_has_done_it(version, order):
    def told(code):
        meaning = DIALECTS[version].meaning(order, Answer(ending=Ending.CALL_ERROR, status=code))
        return meaning.result, meaning.happened

    assert {told(code) for code in NOT_DONE} == {(Result.FAILED, NO)}
    assert {told("NotImplemented"), told("NotSupported"), told("notsupported")} == {(Result.NOT_SUPPORTED, NO)}
    uncertain = UNKNOWN if isinstance(order, ReserveNow | RequestStart) else NO
    assert {told("InternalError"), told("GenericError"), told(" internalerror")} == {(Result.FAILED, uncertain)}


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("ending", "result", "happened"),
    [
        (Ending.BAD_RESULT, Result.FAILED, UNKNOWN),
        (Ending.NO_ANSWER, Result.TIMEOUT, UNKNOWN),
        (Ending.CONNECTION_LOST, Result.TIMEOUT, UNKNOWN),
        (Ending.NOT_SENT, Result.FAILED, NO),
    ],
)
def test_an_order_that_was_not_answered_means_the_same_in_every_version(version, order, ending, result, happened):
    meaning = DIALECTS[version].meaning(order, Answer(ending=ending, detail="10.0.0.7:9000 refused"))
    assert (meaning.result, meaning.happened) == (result, happened)
    assert meaning.text
    assert "10.0.0.7" not in meaning.text


@pytest.mark.parametrize("version", ALL)
@given(
    payload=st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9), st.lists, max_leaves=5)
)
def test_whatever_a_status_is_it_is_read(version, payload):
    for order in ORDERS:
        dialect = DIALECTS[version]
        assert isinstance(dialect.meaning(order, dialect.read(order, {"status": payload})), Meaning)


def test_1_6_tells_its_abilities():
    payload = {
        "configurationKey": [
            {"key": "supportedfeatureprofiles", "readonly": True, "value": "Core,Reservation"},
            {"key": "ReserveConnectorZeroSupported", "readonly": True, "value": "true"},
            {"key": "ConnectionTimeOut", "readonly": False},
            {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
            "nonsense",
        ],
        "unknownKey": ["NumberOfConnectors"],
    }
    answer = DIALECTS["ocpp1.6"].read(AskAbilities(), payload)
    assert answer.ending is Ending.RESULT
    assert answer.abilities == {
        "SupportedFeatureProfiles": "Core,Reservation",
        "ReserveConnectorZeroSupported": "true",
    }
    assert DIALECTS["ocpp1.6"].read(AskAbilities(), {"unknownKey": ["x"]}).abilities == {}


@pytest.mark.parametrize("version", TWO)
def test_2_x_tells_its_abilities(version):
    def variable(component, name, status, **value):
        return {"component": {"name": component}, "variable": {"name": name}, "attributeStatus": status, **value}

    payload = {
        "getVariableResult": [
            variable("ReservationCtrlr", "NonEvseSpecific", "Accepted", attributeValue="true"),
            variable("reservationctrlr", "enabled", "accepted", attributeValue="false"),
            variable("ReservationCtrlr", "Available", "UnknownVariable"),
            variable("TxCtrlr", "EVConnectionTimeOut", "Rejected", attributeValue="30"),
            variable("AuthCtrlr", "AuthorizeRemoteStart", "Accepted", attributeValue=""),
            variable("OCPPCommCtrlr", "HeartbeatInterval", "Accepted", attributeValue="300"),
        ]
    }
    dialect = DIALECTS[version]
    answer = dialect.read(AskAbilities(), payload)
    assert answer.abilities == {
        "ReservationCtrlr.NonEvseSpecific": "true",
        "ReservationCtrlr.Enabled": "false",
        "AuthCtrlr.AuthorizeRemoteStart": "",
    }
    assert dialect.meaning(AskAbilities(), answer).happened is YES
    assert dialect.whole_station(answer.abilities) is False


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize(
    ("status", "result", "text"),
    [
        ("Accepted", Result.ACCEPTED, ""),
        ("RebootRequired", Result.ACCEPTED, "The charging station does so after its next start."),
        ("Rejected", Result.REJECTED, "The charging station rejected the command."),
    ],
)
def test_a_setting_is_done_or_not(version, status, result, text):
    dialect, order = DIALECTS[version], Configure(key="C.V", value="1")
    payload = {"status": status}
    if version != "ocpp1.6":
        payload = {"setVariableResult": [{"attributeStatus": status.lower(), "component": {}, "variable": {}}]}
    meaning = dialect.meaning(order, dialect.read(order, payload))
    assert (meaning.result, meaning.text) == (result, text)


@pytest.mark.parametrize(
    ("version", "status"),
    [("ocpp1.6", "NotSupported")]
    + [(two, word) for two in TWO for word in ("UnknownComponent", "UnknownVariable", "NotSupportedAttributeType")],
)
def test_a_setting_that_the_station_does_not_know_is_not_supported(version, status):
    payload = {"status": status, "setVariableResult": [{"attributeStatus": status}]}
    assert meaning_of(version, Configure(key="C.V", value="1"), payload) == (Result.NOT_SUPPORTED, NO)


@pytest.mark.parametrize("version", TWO)
def test_why_a_setting_was_refused_is_kept(version):
    info = {"reasonCode": "InvalidValue", "additionalInfo": "too long"}
    payload = {"setVariableResult": [{"attributeStatus": "Rejected", "attributeStatusInfo": info}]}
    answer = DIALECTS[version].read(Configure(key="C.V", value="1"), payload)
    assert (answer.status, answer.reason, answer.detail) == ("Rejected", "InvalidValue", "too long")


@pytest.mark.parametrize("version", TWO)
@pytest.mark.parametrize("payload", [{}, {"setVariableResult": []}, {"setVariableResult": [{}]}, None])
def test_a_setting_without_a_result_is_a_bad_result(version, payload):
    assert DIALECTS[version].read(Configure(key="C.V", value="1"), payload).ending is Ending.BAD_RESULT


@pytest.mark.parametrize("version", TWO)
@pytest.mark.parametrize(
    ("payload", "ongoing", "queue"),
    [
        ({"ongoingIndicator": True, "messagesInQueue": False}, True, False),
        ({"ongoingIndicator": False, "messagesInQueue": True}, False, True),
        ({"messagesInQueue": "false"}, None, False),
    ],
)
def test_a_station_tells_what_it_knows_of_a_transaction(version, payload, ongoing, queue):
    dialect, order = DIALECTS[version], AskTransaction(transaction_id="tx-1")
    answer = dialect.read(order, payload)
    assert (answer.ongoing, answer.messages_in_queue) == (ongoing, queue)
    assert dialect.meaning(order, answer).happened is YES
    assert ANSWER.validate_python(ANSWER.dump_python(answer, mode="json")) == answer
    assert dialect.read(order, {}).ending is Ending.BAD_RESULT


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("Accepted", Result.ACCEPTED),
        ("Rejected", Result.REJECTED),
        ("NotImplemented", Result.NOT_SUPPORTED),
    ],
)
def test_a_question_for_a_message_is_taken_or_not(version, status, result):
    for order in (AskStatus(), AskBoot()):
        assert meaning_of(version, order, {"status": status})[0] is result
