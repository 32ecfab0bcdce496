import asyncio

import pytest

from gateway.simulators.station import SimulatedStation
from tests.simulators.csms import NOW
from tests.simulators.tongue import token


async def charge(station, tongue, evse=1) -> str:
    assert await tongue.start(evse=evse) == "Accepted"
    await tongue.started()
    return await tongue.transaction_id(station)


async def test_it_boots_and_tells_every_connector(meet, telling):
    _, tongue = await meet(telling)
    assert len(tongue.csms.heard("BootNotification")) == 1
    assert {place for place, _, _ in tongue.told()} == ({0, 1, 2} if tongue.old else {1, 2})
    assert bool(tongue.csms.heard("NotifyEvent")) == telling.endswith("events")
    assert bool(tongue.csms.heard("StatusNotification")) != telling.endswith("events")
    assert tongue.csms.path == "/ocpp/CS%201"


async def test_a_reconnection_is_no_boot(meet, ocpp):
    station, tongue = await meet(ocpp)
    await station.go_offline()
    assert not station.connected
    before = len(tongue.csms.calls)
    await station.go_online()
    await tongue.shows(2, "Available", before)
    assert len(tongue.csms.heard("BootNotification")) == 1


async def test_it_keeps_its_heart_beating(meet, ocpp):
    def fast(csms):
        csms.boots += [{"status": "Accepted", "currentTime": NOW, "interval": 1}]

    _, tongue = await meet(ocpp, prepare=fast)
    await tongue.csms.hears("Heartbeat")


async def test_a_remote_start_becomes_a_transaction(meet, ocpp):
    station, tongue = await meet(ocpp)
    assert await tongue.start("CARD-A", evse=2, remote_start_id=31) == "Accepted"
    started = await tongue.started()
    if tongue.old:
        assert (started["connectorId"], started["idTag"]) == (2, "CARD-A")
        await tongue.shows(2, "Charging")
    else:
        assert started["triggerReason"] == "RemoteStart"
        assert started["transactionInfo"]["remoteStartId"] == 31
        assert (started["evse"], started["idToken"]) == ({"id": 2, "connectorId": 1}, token("CARD-A"))
        updated = await tongue.csms.hears("TransactionEvent", triggerReason="ChargingStateChanged")
        assert updated["transactionInfo"]["chargingState"] == "Charging"
        assert not {"evse", "idToken"} & updated.keys()
        await tongue.shows(2, "Occupied")
    assert station.evses[2].transaction.charging


async def test_a_remote_start_without_an_evse_takes_a_free_one(meet, ocpp):
    station, tongue = await meet(ocpp)
    await tongue.reserve(1, "OTHER", evse=1)
    assert await tongue.start("CARD-A") == "Accepted"
    assert station.evses[2].grant is not None


async def test_a_remote_start_without_an_evse_prefers_the_reserved_one(meet, ocpp):
    station, tongue = await meet(ocpp)
    await tongue.reserve(1, evse=2)
    assert await tongue.start("CARD-A") == "Accepted"
    assert station.evses[2].grant.reservation == 1


async def test_a_remote_stop_ends_the_transaction_and_the_driver_leaves(meet, ocpp):
    station, tongue = await meet(ocpp)
    running = await charge(station, tongue)
    before = len(tongue.csms.calls)
    assert await tongue.stop(running) == "Accepted"
    ended = await tongue.ended()
    if tongue.old:
        assert (ended["reason"], str(ended["transactionId"])) == ("Remote", running)
        await tongue.shows(1, "Finishing", before)
    else:
        assert (ended["triggerReason"], ended["transactionInfo"]["stoppedReason"]) == ("RemoteStop", "Remote")
        assert [p["seqNo"] for p in tongue.csms.heard("TransactionEvent")] == [0, 1, 2]
    await tongue.shows(1, "Available", before)


async def test_meter_values_come_at_their_interval(meet, ocpp):
    station, tongue = await meet(ocpp, meter_interval=1)
    running = await charge(station, tongue)
    if tongue.old:
        values = await tongue.csms.hears("MeterValues")
        assert values["transactionId"] == int(running)
        [register, power] = values["meterValue"][0]["sampledValue"]
        assert (register["unit"], power["value"]) == ("Wh", "11000")
    else:
        event = await tongue.csms.hears("TransactionEvent", triggerReason="MeterValuePeriodic")
        [register, power] = event["meterValue"][0]["sampledValue"]
        assert (register["unitOfMeasure"], power["value"]) == ({"unit": "Wh"}, 11000)
    assert (register["measurand"], register["context"]) == ("Energy.Active.Import.Register", "Sample.Periodic")
    assert power["measurand"] == "Power.Active.Import"


async def test_a_card_starts_and_stops(meet, ocpp):
    station, tongue = await meet(ocpp)
    await station.plug_in(1)
    assert await station.present(1, "CARD-A")
    await tongue.started()
    assert await station.present(1, "CARD-A")
    ended = await tongue.ended()
    assert (ended["reason"] if tongue.old else ended["transactionInfo"]["stoppedReason"]) == "Local"
    await station.unplug(1)
    await tongue.csms.until(lambda: tongue.statuses(1)[-1] == "Available")


async def test_a_refused_card_starts_nothing(meet, ocpp):
    station, _ = await meet(ocpp, prepare=lambda csms: csms.tokens.update({"BAD": ("Invalid", None)}))
    assert not await station.present(1, "BAD")
    assert station.evses[1].grant is None


async def test_a_token_refused_with_the_transaction_ends_it(meet, ocpp):
    _, tongue = await meet(ocpp, prepare=lambda csms: csms.tokens.update({"BAD": ("Blocked", None)}))
    assert await tongue.start("BAD", evse=1) == "Accepted"
    ended = await tongue.ended()
    assert (ended["reason"] if tongue.old else ended["transactionInfo"]["stoppedReason"]) == "DeAuthorized"


async def test_c05_fr_01_central_tokens_are_never_asked_about(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    assert await station.present(1, "APP", "Central")
    assert not tongue.csms.heard("Authorize")


async def test_authorize_first_asks_before_it_answers(meet, ocpp):
    def prepare(csms):
        csms.tokens["BAD"] = ("Invalid", None)

    _, tongue = await meet(ocpp, prepare=prepare, authorize_first=True)
    assert await tongue.reserve(1, "BAD", evse=1) == "Rejected"
    assert await tongue.reserve(1, "CARD-A", evse=1) == "Accepted"
    assert await tongue.start("BAD", evse=2) == "Rejected"
    assert await tongue.start("CARD-A", evse=1) == "Accepted"
    assert len(tongue.csms.heard("Authorize")) == 4


async def test_a_station_that_authorizes_remote_starts_asks_after_it_answered(meet, ocpp):
    station, tongue = await meet(ocpp, prepare=lambda csms: csms.tokens.update({"BAD": ("Invalid", None)}))
    if tongue.old:
        change = {"key": "AuthorizeRemoteTxRequests", "value": "true"}
        assert await tongue.csms.call("ChangeConfiguration", change) == {"status": "Accepted"}
    else:
        on = {
            "component": {"name": "AuthCtrlr"},
            "variable": {"name": "AuthorizeRemoteStart"},
            "attributeValue": "true",
        }
        await tongue.csms.call("SetVariables", {"setVariableData": [on]})
    assert await tongue.start("BAD", evse=1) == "Accepted"
    await tongue.csms.hears("Authorize")
    assert await tongue.start("CARD-A", evse=2) == "Accepted"
    await tongue.started()
    assert station.evses[1].grant is None


async def test_what_happens_offline_is_told_later_in_order(meet, ocpp):
    station, tongue = await meet(ocpp)
    await station.present(1, "CARD-A")
    await station.go_offline()
    await station.plug_in(1)
    await station.unplug(1)
    await station.go_online()
    await tongue.started()
    ended = await tongue.ended()
    if tongue.old:
        assert ended["transactionId"] == 7001
    else:
        events = tongue.csms.heard("TransactionEvent")
        assert [event["seqNo"] for event in events] == list(range(len(events)))
        assert all(event["offline"] for event in events)


async def test_a_message_whose_answer_was_lost_is_sent_again(meet, ocpp):
    station, tongue = await meet(ocpp)
    action = "StartTransaction" if tongue.old else "TransactionEvent"
    tongue.csms.hold.add(action)
    await tongue.start(evse=1)
    await tongue.csms.hears(action)
    tongue.csms.hold.clear()
    await station.go_offline()
    await station.go_online()
    await tongue.csms.until(lambda: len(tongue.csms.heard(action)) > 1)
    first, second = tongue.csms.heard(action)[:2]
    assert first == second


async def test_only_one_call_of_its_own_is_outstanding(meet, ocpp):
    station, tongue = await meet(ocpp)
    tongue.csms.hold.add("Authorize")
    swipe = asyncio.create_task(station.present(1, "STRANGER"))
    await tongue.csms.hears("Authorize")
    before = len(tongue.csms.calls)
    assert await tongue.reserve(1, evse=2) == "Accepted"
    await asyncio.sleep(0.05)
    assert len(tongue.csms.calls) == before
    await station.go_offline()
    assert not await swipe


async def test_configuration_is_read_and_changed_on_1_6(meet):
    _, tongue = await meet("1.6", non_evse_specific=False)
    answer = await tongue.csms.call("GetConfiguration", {"key": ["ReserveConnectorZeroSupported", "Nonsense"]})
    assert answer["configurationKey"] == [{"key": "ReserveConnectorZeroSupported", "readonly": True, "value": "false"}]
    assert answer["unknownKey"] == ["Nonsense"]
    everything = await tongue.csms.call("GetConfiguration", {})
    assert {"SupportedFeatureProfiles", "NumberOfConnectors"} <= {k["key"] for k in everything["configurationKey"]}
    for key, value, word in [
        ("HeartbeatInterval", "60", "Accepted"),
        ("HeartbeatInterval", "often", "Rejected"),
        ("NumberOfConnectors", "9", "Rejected"),
        ("Nonsense", "1", "NotSupported"),
    ]:
        assert await tongue.csms.call("ChangeConfiguration", {"key": key, "value": value}) == {"status": word}


async def test_variables_are_read_and_set(meet, ocpp2):
    _, tongue = await meet(ocpp2)

    def variable(component, name, **more):
        return {"component": {"name": component}, "variable": {"name": name}, **more}

    asked = [variable("ReservationCtrlr", "NonEvseSpecific"), variable("ReservationCtrlr", "X"), variable("X", "X")]
    answer = await tongue.csms.call("GetVariables", {"getVariableData": asked})
    found = [(one["attributeStatus"], one.get("attributeValue")) for one in answer["getVariableResult"]]
    assert found == [("Accepted", "true"), ("UnknownVariable", None), ("UnknownComponent", None)]
    wishes = [
        variable("ReservationCtrlr", "Available", attributeValue="false"),
        variable("ReservationCtrlr", "Enabled", attributeValue="maybe"),
        variable("AuthCtrlr", "AuthorizeRemoteStart", attributeValue="true"),
    ]
    answer = await tongue.csms.call("SetVariables", {"setVariableData": wishes})
    assert [one["attributeStatus"] for one in answer["setVariableResult"]] == ["Rejected", "Rejected", "Accepted"]


async def test_e14_a_transaction_status_is_told(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    running = await charge(station, tongue)
    await tongue.csms.until(station.outbox.is_empty)
    answer = await tongue.csms.call("GetTransactionStatus", {"transactionId": running})
    assert answer == {"ongoingIndicator": True, "messagesInQueue": False}
    assert await tongue.csms.call("GetTransactionStatus", {}) == {"messagesInQueue": False}


async def test_other_actions_are_not_implemented(meet, ocpp):
    _, tongue = await meet(ocpp)
    assert await tongue.csms.call("ClearCache", {}) == "NotImplemented"


async def test_a_payload_against_its_schema_is_refused_and_noted(meet, ocpp):
    station, tongue = await meet(ocpp)
    answer = await tongue.csms.call("CancelReservation", {"reservationId": "one"})
    assert answer == ("FormationViolation" if tongue.old else "FormatViolation")
    assert station.complaints


async def test_its_password_is_told_by_basic_auth(meet, ocpp):
    _, tongue = await meet(ocpp, password="secret-of-16-bytes")
    assert tongue.csms.authorization == "Basic Q1MgMTpzZWNyZXQtb2YtMTYtYnl0ZXM="


async def test_a_refused_station_keeps_knocking(meet, ocpp):
    def guard(csms):
        csms.password = "Basic other"

    _, tongue = await meet(ocpp, prepare=guard, ready=False, password="wrong")
    await tongue.csms.until(lambda: len(tongue.csms.refused) >= 3)


def test_nobody_tells_by_notify_event_in_1_6():
    with pytest.raises(ValueError, match=r"OCPP 1\.6 has no NotifyEvent"):
        SimulatedStation(ocpp="1.6", notify_event=True)


def test_an_unknown_fault_is_a_sentence():
    with pytest.raises(ValueError, match="unknown fault typo; known are mute"):
        SimulatedStation(faults=["typo"])
