"""What stations say, and what they are answered."""

from contextlib import nullcontext, suppress
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocpp_bridge.dialect import Malformed
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.events import (
    BootAnswer,
    Booted,
    Phase,
    Reading,
    Registration,
    StatusChanged,
    TokenStatus,
    TransactionAnswer,
)
from ocpp_bridge.orders import IdToken
from tests.ocpp_bridge.front_desk import FrontDesk
from tests.ocpp_bridge.wire import assert_request, assert_response, message, request_schema

ALL = list(DIALECTS)
TWO = ["ocpp2.0.1", "ocpp2.1"]
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
EVERY_EAR = [(version, action) for version in ALL for action in sorted(DIALECTS[version].ears)]

#: What only we may send; together with what is heard it is all that there is.
OURS = {
    "ocpp1.6": """CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration ClearCache
        ClearChargingProfile DataTransfer DeleteCertificate ExtendedTriggerMessage GetCompositeSchedule GetConfiguration
        GetDiagnostics GetInstalledCertificateIds GetLocalListVersion GetLog InstallCertificate RemoteStartTransaction
        RemoteStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SignedUpdateFirmware TriggerMessage
        UnlockConnector UpdateFirmware""",
    "ocpp2.0.1": """CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile
        ClearDisplayMessage ClearVariableMonitoring CostUpdated CustomerInformation DataTransfer DeleteCertificate
        GetBaseReport GetChargingProfiles GetCompositeSchedule GetDisplayMessages GetInstalledCertificateIds
        GetLocalListVersion GetLog GetMonitoringReport GetReport GetTransactionStatus GetVariables InstallCertificate
        PublishFirmware RequestStartTransaction RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile
        SetDisplayMessage SetMonitoringBase SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables
        TriggerMessage UnlockConnector UnpublishFirmware UpdateFirmware""",
}
OURS["ocpp2.1"] = (
    OURS["ocpp2.0.1"]
    + """ AFRRSignal AdjustPeriodicEventStream ChangeTransactionTariff ClearDERControl ClearTariffs
        GetDERControl GetPeriodicEventStream GetTariffs NotifyAllowedEnergyTransfer NotifyWebPaymentStarted
        RequestBatterySwap SetDERControl SetDefaultTariff UpdateDynamicSchedule UsePriorityCharging"""
)


@pytest.fixture
def desk():
    return FrontDesk()


async def hear(desk, version, action, payload):
    answer = await DIALECTS[version].ears[action](desk, "CS-1", payload)
    assert_response(version, action, answer)
    return answer


@pytest.mark.parametrize("version", ALL)
def test_everything_a_station_may_say_is_heard(version):
    dialect = DIALECTS[version]
    assert set(dialect.ears) | set(dialect.sends) | set(OURS[version].split()) == set(dialect.known)
    assert set(dialect.ears) & set(OURS[version].split()) == {"DataTransfer"}


@pytest.mark.parametrize(("version", "action"), EVERY_EAR)
@pytest.mark.parametrize("full", [False, True], ids=["minimal", "full"])
async def test_every_correct_call_has_a_correct_answer(desk, version, action, full):
    payload = message(request_schema(version, action), full)
    assert_request(version, action, payload)
    before = deepcopy(payload)
    await hear(desk, version, action, payload)
    assert payload == before


#: What can be too broken to be answered: no transaction to keep, no certificate to name again.
REFUSED = {"TransactionEvent", "GetCertificateChainStatus"}

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@st.composite
def _spoilt(draw, value):
    """``value`` with parts of it left out or replaced by junk."""
    fate = draw(st.integers(0, 9))
    if fate == 0:
        return draw(JUNK)
    if isinstance(value, dict):
        return {name: draw(_spoilt(one)) for name, one in value.items() if draw(st.integers(0, 6))}
    if isinstance(value, list):
        return [draw(_spoilt(one)) for one in value]
    return value


@pytest.mark.parametrize(("version", "action"), EVERY_EAR)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_whatever_a_station_says_is_answered_correctly_or_refused_in_words(version, action, data):
    payload = data.draw(_spoilt(message(request_schema(version, action), True)))
    with suppress(Malformed) if action in REFUSED else nullcontext():
        await hear(FrontDesk(), version, action, payload if isinstance(payload, dict) else {})


@pytest.mark.parametrize("version", ALL)
async def test_a_heartbeat_tells_the_time_in_utc_with_three_decimals(desk, version):
    before = datetime.now(UTC)
    text = (await hear(desk, version, "Heartbeat", {}))["currentTime"]
    assert len(text) == len("2026-03-04T12:00:00.000Z")
    assert text.endswith("Z")
    assert abs((datetime.fromisoformat(text) - before).total_seconds()) < 60


async def test_1_6_boots(desk):
    payload = {
        "chargePointVendor": "",
        "chargePointModel": "M",
        "chargeBoxSerialNumber": "S" * 33,
        "firmwareVersion": "1.2",
    }
    answer = await hear(desk, "ocpp1.6", "BootNotification", payload)
    assert (answer["status"], answer["interval"]) == ("Accepted", 600)
    assert desk.event == Booted(vendor="", model="M", serial="S" * 33, firmware="1.2")


@pytest.mark.parametrize("version", TWO)
async def test_2_x_boots(desk, version):
    desk.boot = BootAnswer(status=Registration.PENDING, interval=30)
    payload = {
        "reason": "PowerUp",
        "chargingStation": {"vendorName": "V", "model": "M", "serialNumber": "S", "firmwareVersion": "1.2"},
    }
    answer = await hear(desk, version, "BootNotification", payload)
    assert (answer["status"], answer["interval"]) == ("Pending", 30)
    assert desk.event == Booted(vendor="V", model="M", serial="S", firmware="1.2", reason="PowerUp")


async def test_1_6_authorizes_with_the_parent(desk):
    answer = await hear(desk, "ocpp1.6", "Authorize", {"idTag": "ABC"})
    assert answer == {"idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"}}
    assert desk.event == IdToken(value="ABC")


async def test_1_6_says_no_parent_that_does_not_fit(desk):
    desk.token = TokenStatus(status="Blocked", group=IdToken(value="G" * 21))
    assert await hear(desk, "ocpp1.6", "Authorize", {"idTag": "ABC"}) == {"idTagInfo": {"status": "Blocked"}}


@pytest.mark.parametrize("version", TWO)
async def test_2_x_authorizes_with_the_group(desk, version):
    answer = await hear(desk, version, "Authorize", {"idToken": {"idToken": "ABC", "type": "ISO14443"}})
    group = {"idToken": "FLEET", "type": "Central"}
    assert answer == {"idTokenInfo": {"status": "Accepted", "groupIdToken": group}}
    assert desk.event == IdToken(value="ABC", type="ISO14443")


@pytest.mark.parametrize("version", TWO)
async def test_2_x_vouches_for_no_contract_certificate(desk, version):
    payload = {"idToken": {"idToken": "DE-1", "type": "eMAID"}, "certificate": "PEM"}
    assert (await hear(desk, version, "Authorize", payload))["certificateStatus"] == "NoCertificateAvailable"


@pytest.mark.parametrize("version", ALL)
async def test_a_question_about_no_token_is_answered_without_asking_the_house(desk, version):
    [info] = (await hear(desk, version, "Authorize", {})).values()
    assert info == {"status": "Invalid"}
    assert desk.told == []


START = {"connectorId": 2, "idTag": "ABC", "meterStart": 1500, "timestamp": "2026-03-04T12:00:00Z"}


async def test_1_6_starts_a_transaction_under_our_id(desk):
    answer = await hear(desk, "ocpp1.6", "StartTransaction", {**START, "reservationId": 42})
    assert answer == {"transactionId": 4711, "idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"}}
    event = desk.event
    assert (event.phase, event.transaction_id, event.connector, event.evse) == (Phase.STARTED, None, 2, None)
    assert (event.at, event.register_wh, event.reservation) == (NOON, 1500, 42)
    assert event.id_token == IdToken(value="ABC")


@pytest.mark.parametrize("number", [-1, 0, None, "none", 2**40, 1.5, True])
async def test_a_reservation_number_that_is_none_is_none(desk, number):
    await hear(desk, "ocpp1.6", "StartTransaction", {**START, "reservationId": number})
    assert desk.event.reservation is None


async def test_1_6_starts_are_answered_even_when_all_is_missing(desk):
    desk.transaction_answer = TransactionAnswer(transaction_id="5")
    answer = await hear(desk, "ocpp1.6", "StartTransaction", {})
    assert answer == {"transactionId": 5, "idTagInfo": {"status": "Invalid"}}
    assert (desk.event.connector, desk.event.id_token, desk.event.at) == (None, None, None)


async def test_1_6_a_start_without_an_id_of_ours_is_an_error_of_ours(desk):
    desk.transaction_answer = TransactionAnswer()
    with pytest.raises(Malformed) as refused:
        await hear(desk, "ocpp1.6", "StartTransaction", START)
    assert refused.value.code == "InternalError"


async def test_1_6_stops_a_transaction_whose_tag_is_too_long(desk):
    payload = {
        "transactionId": 4711,
        "idTag": "X" * 21,
        "meterStop": 2500,
        "timestamp": "2026-03-04T12:00:00Z",
        "reason": "Remote",
    }
    answer = await hear(desk, "ocpp1.6", "StopTransaction", payload)
    assert answer["idTagInfo"]["status"] == "Accepted"
    event = desk.event
    assert (event.phase, event.transaction_id, event.register_wh) == (Phase.ENDED, "4711", 2500)
    assert (event.stopped_reason, event.id_token) == ("Remote", IdToken(value="X" * 21))


@pytest.mark.parametrize("number", [-1, 0, None])
async def test_1_6_a_stop_of_a_transaction_that_never_got_an_id_is_answered(desk, number):
    desk.transaction_answer = TransactionAnswer()
    sample = {"timestamp": "2026-03-04T12:00:00Z", "sampledValue": [{"value": "3.5", "unit": "kWh"}]}
    answer = await hear(desk, "ocpp1.6", "StopTransaction", {"transactionId": number, "transactionData": [sample]})
    assert answer == {}
    assert (desk.event.transaction_id, desk.event.register_wh) == (None, 3500)


async def test_1_6_tells_where_the_meter_stood_at_both_ends_in_time_order(desk):
    await hear(desk, "ocpp1.6", "StartTransaction", START)
    assert desk.event.readings == (Reading(at=NOON, register_wh=Decimal(1500), context="Transaction.Begin"),)
    desk.told.clear()
    data = [
        {"timestamp": "2026-03-04T12:00:00Z", "sampledValue": [{"value": "2500", "context": "Transaction.End"}]},
        {"timestamp": "2026-03-04T11:00:00Z", "sampledValue": [{"value": "1500", "context": "Transaction.Begin"}]},
        {"timestamp": "2026-03-04T11:30:00Z", "sampledValue": [{"value": "2000"}]},
    ]
    stop = {"transactionId": 4711, "meterStop": 2501, "timestamp": "2026-03-04T12:00:00Z", "transactionData": data}
    await hear(desk, "ocpp1.6", "StopTransaction", stop)
    told = [(one.register_wh, one.context) for one in desk.event.readings]
    begin, end = "Transaction.Begin", "Transaction.End"
    assert told == [(1500, begin), (2000, "Sample.Periodic"), (2500, end), (2501, end)]
    desk.told.clear()
    await hear(desk, "ocpp1.6", "StopTransaction", stop | {"timestamp": "late"})
    assert desk.event.register_wh == 2501


@pytest.mark.parametrize("meter", [-1, "much", None, float("nan"), True])
async def test_1_6_a_meter_that_stands_nowhere_is_no_reading(desk, meter):
    await hear(desk, "ocpp1.6", "StartTransaction", {**START, "meterStart": meter})
    assert desk.event.readings == ()


async def test_1_6_meter_values_of_a_transaction_update_it(desk):
    samples = [
        {"timestamp": "2026-03-04T12:00:00Z", "sampledValue": [{"value": "2000"}]},
        {"timestamp": "2026-03-04T11:00:00Z", "sampledValue": [{"value": "1000"}]},
    ]
    payload = {"connectorId": 1, "transactionId": 4711, "meterValue": samples}
    assert await hear(desk, "ocpp1.6", "MeterValues", payload) == {}
    event = desk.event
    assert (event.phase, event.transaction_id, event.connector) == (Phase.UPDATED, "4711", 1)
    assert (event.at, event.register_wh) == (NOON, 2000)


async def test_1_6_meter_values_of_no_transaction_are_only_answered(desk):
    assert await hear(desk, "ocpp1.6", "MeterValues", {"connectorId": 1, "meterValue": []}) == {}
    assert desk.told == []


async def test_1_6_status_is_told_with_unknown_words_kept(desk):
    payload = {
        "connectorId": 0,
        "errorCode": "Error",
        "status": "faulted",
        "timestamp": "2026-03-04T14:00:00.1234567+02:00",
    }
    assert await hear(desk, "ocpp1.6", "StatusNotification", payload) == {}
    at = NOON.replace(microsecond=123456)
    assert desk.event == StatusChanged(evse=None, connector=0, status="Faulted", at=at, error="Error")


async def test_1_6_no_error_is_no_error(desk):
    payload = {"connectorId": 1, "errorCode": "NoError", "status": "Napping", "timestamp": "yesterday"}
    await hear(desk, "ocpp1.6", "StatusNotification", payload)
    assert desk.event == StatusChanged(evse=None, connector=1, status="Napping")


@pytest.mark.parametrize("version", ALL)
async def test_a_status_of_nothing_is_only_answered(desk, version):
    assert await hear(desk, version, "StatusNotification", {}) == {}
    assert desk.told == []


@pytest.mark.parametrize("version", TWO)
async def test_2_x_status_is_told(desk, version):
    payload = {"timestamp": "2026-03-04T12:00:00", "connectorStatus": "Reserved", "evseId": 1, "connectorId": 2}
    assert await hear(desk, version, "StatusNotification", payload) == {}
    assert desk.event == StatusChanged(evse=1, connector=2, status="Reserved", at=NOON)


@pytest.mark.parametrize("version", TWO)
async def test_2_x_an_event_about_availability_is_a_status(desk, version):
    def event(component, variable, value, **evse):
        return {
            "component": {"name": component, "evse": evse} if evse else {"name": component},
            "variable": {"name": variable},
            "actualValue": value,
            "timestamp": "2026-03-04T12:00:00Z",
        }

    data = [
        event("Connector", "AvailabilityState", "Reserved", id=1, connectorId=2),
        event("evse", "availabilitystate", "faulted", id=3),
        event("ChargingStation", "AvailabilityState", "Available"),
        event("Connector", "Problem", "true", id=1, connectorId=2),
        "nonsense",
    ]
    assert await hear(desk, version, "NotifyEvent", {"eventData": data}) == {}
    assert [told for _, told in desk.told] == [
        StatusChanged(evse=1, connector=2, status="Reserved", at=NOON),
        StatusChanged(evse=3, connector=None, status="Faulted", at=NOON),
    ]


@pytest.mark.parametrize("version", TWO)
@pytest.mark.parametrize(
    ("said", "told"),
    [("Expired", "Expired"), ("removed", "Removed"), ("NoTransaction", "NoTransaction"), ("Lost", "Lost")],
)
async def test_2_x_the_end_of_a_reservation_is_told(desk, version, said, told):
    payload = {"reservationId": 42, "reservationUpdateStatus": said}
    assert await hear(desk, version, "ReservationStatusUpdate", payload) == {}
    assert desk.event == (42, told)


@pytest.mark.parametrize("version", TWO)
async def test_2_x_the_end_of_no_reservation_is_only_answered(desk, version):
    payload = {"reservationId": -1, "reservationUpdateStatus": "Expired"}
    assert await hear(desk, version, "ReservationStatusUpdate", payload) == {}
    assert desk.told == []


EVENT = {
    "eventType": "Started",
    "timestamp": "2026-03-04T12:00:00Z",
    "triggerReason": "RemoteStart",
    "seqNo": 0,
    "offline": True,
    "reservationId": 42,
    "evse": {"id": 1, "connectorId": 2},
    "idToken": {"idToken": "ABC", "type": "ISO14443"},
    "transactionInfo": {
        "transactionId": "tx-1",
        "chargingState": "Charging",
        "stoppedReason": "Remote",
        "remoteStartId": 77,
    },
    "meterValue": [
        {
            "timestamp": "2026-03-04T12:00:00Z",
            "sampledValue": [{"value": 1.5, "unitOfMeasure": {"unit": "Wh", "multiplier": 3}}],
        }
    ],
}


@pytest.mark.parametrize("version", TWO)
async def test_2_x_a_transaction_event_is_told_whole(desk, version):
    answer = await hear(desk, version, "TransactionEvent", EVENT)
    assert answer["idTokenInfo"]["groupIdToken"] == {"idToken": "FLEET", "type": "Central"}
    event = desk.event
    assert (event.phase, event.transaction_id, event.at, event.seq) == (Phase.STARTED, "tx-1", NOON, 0)
    assert (event.evse, event.connector, event.reservation, event.remote_start_id) == (1, 2, 42, 77)
    assert event.id_token == IdToken(value="ABC", type="ISO14443")
    assert (event.trigger, event.charging_state, event.stopped_reason) == ("RemoteStart", "Charging", "Remote")
    assert (event.register_wh, event.offline) == (1500, True)


@pytest.mark.parametrize("version", TWO)
@pytest.mark.parametrize(("said", "phase"), [("ended", Phase.ENDED), ("Paused", Phase.UPDATED), (None, Phase.UPDATED)])
async def test_2_x_a_transaction_event_without_a_token_has_an_empty_answer(desk, version, said, phase):
    desk.transaction_answer = TransactionAnswer()
    payload = {"eventType": said, "transactionInfo": {"transactionId": "tx-1"}, "reservationId": -1}
    assert await hear(desk, version, "TransactionEvent", payload) == {}
    assert (desk.event.phase, desk.event.reservation, desk.event.id_token) == (phase, None, None)


@pytest.mark.parametrize("version", TWO)
async def test_2_x_a_transaction_event_of_no_transaction_is_refused(desk, version):
    with pytest.raises(Malformed) as refused:
        await hear(desk, version, "TransactionEvent", {"eventType": "Started", "transactionInfo": {}})
    assert refused.value.code == "OccurrenceConstraintViolation"
    assert desk.told == []


@pytest.mark.parametrize("version", TWO)
async def test_2_x_an_id_that_is_far_too_long_is_kept_as_far_as_there_is_room(desk, version):
    await hear(desk, version, "TransactionEvent", {**EVENT, "transactionInfo": {"transactionId": "x" * 300}})
    assert desk.event.transaction_id == "x" * 255


@pytest.mark.parametrize("version", TWO)
async def test_2_x_a_token_without_text_is_told_by_its_type(desk, version):
    await hear(desk, version, "TransactionEvent", {**EVENT, "idToken": {"idToken": "", "type": "NoAuthorization"}})
    assert desk.event.id_token == IdToken(value="", type="NoAuthorization")


async def test_2_1_names_each_certificate_again_that_it_could_not_check(desk):
    payload = message(request_schema("ocpp2.1", "GetCertificateChainStatus"), False)
    answer = await hear(desk, "ocpp2.1", "GetCertificateChainStatus", payload)
    [status] = answer["certificateStatus"]
    [asked] = payload["certificateStatusRequests"]
    assert status["certificateHashData"] == asked["certificateHashData"]
    assert (status["source"], status["status"]) == (asked["source"], "Failed")
    with pytest.raises(Malformed):
        await hear(desk, "ocpp2.1", "GetCertificateChainStatus", {})


async def test_2_1_names_the_vat_number_again(desk):
    answer = await hear(desk, "ocpp2.1", "VatNumberValidation", {"vatNumber": "NL1", "evseId": 1})
    assert answer == {"status": "Rejected", "vatNumber": "NL1", "evseId": 1}


async def test_2_1_hears_a_stream_without_a_word(desk):
    assert set(DIALECTS["ocpp2.1"].sends) == {"NotifyPeriodicEventStream"}
    await DIALECTS["ocpp2.1"].sends["NotifyPeriodicEventStream"](desk, "CS-1", {})
    assert desk.told == []


async def test_a_fixed_answer_is_made_anew_each_time(desk):
    first = await hear(desk, "ocpp1.6", "DataTransfer", {})
    first["status"] = "spoilt"
    assert await hear(desk, "ocpp1.6", "DataTransfer", {}) == {"status": "UnknownVendorId"}
