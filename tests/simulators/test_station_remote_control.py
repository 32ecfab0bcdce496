"""What a station lets itself be told from afar (2.x use cases F01 to F06, 1.6 §5.11, §5.12, §5.17, §5.18)."""

from tests.simulators.csms import NOW


async def set_variable(tongue, name: str, value: str) -> None:
    component, variable = name.split(".")
    wish = {"component": {"name": component}, "variable": {"name": variable}, "attributeValue": value}
    [result] = (await tongue.csms.call("SetVariables", {"setVariableData": [wish]}))["setVariableResult"]
    assert result["attributeStatus"] == "Accepted"


async def authorize_remote_starts(tongue) -> None:
    if tongue.old:
        change = {"key": "AuthorizeRemoteTxRequests", "value": "true"}
        assert await tongue.csms.call("ChangeConfiguration", change) == {"status": "Accepted"}
    else:
        await set_variable(tongue, "AuthCtrlr.AuthorizeRemoteStart", "true")


async def charge(station, tongue, evse=1) -> str:
    assert await tongue.start(evse=evse) == "Accepted"
    await tongue.started()
    return await tongue.transaction_id(station)


async def trigger(tongue, message: str, **place) -> str:
    return (await tongue.csms.call("TriggerMessage", {"requestedMessage": message, **place}))["status"]


async def test_f01_fr_01_a_station_that_authorizes_remote_starts_asks_first(meet, ocpp):
    _, tongue = await meet(ocpp)
    await authorize_remote_starts(tongue)
    assert await tongue.start("CARD-A", evse=1) == "Accepted"
    await tongue.started()
    actions = [action for action, _ in tongue.csms.calls]
    assert actions.index("Authorize") < actions.index("StartTransaction" if tongue.old else "TransactionEvent")


async def test_f01_fr_02_a_station_that_does_not_authorize_remote_starts_just_starts(meet, ocpp):
    station, tongue = await meet(ocpp)
    await charge(station, tongue)
    assert not tongue.csms.heard("Authorize")


async def test_f01_fr_07_a_start_may_leave_the_evse_to_the_station(meet, ocpp):
    station, tongue = await meet(ocpp)
    assert await tongue.start("CARD-A") == "Accepted"
    assert station.evses[1].grant is not None


async def test_f01_fr_13_a_transaction_that_waits_for_leave_is_named_in_the_answer(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    await set_variable(tongue, "TxCtrlr.TxStartPoint", "EVConnected")
    await station.plug_in(1)
    running = (await tongue.event("Started"))["transactionInfo"]["transactionId"]
    answer = await tongue.csms.call(*tongue.starting(evse=1))
    assert answer == {"status": "Accepted", "transactionId": running}


async def test_f01_fr_19_and_fr_25_the_next_event_tells_whose_start_it_was(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    await set_variable(tongue, "TxCtrlr.TxStartPoint", "EVConnected")
    await station.plug_in(1)
    await tongue.event("Started")
    await tongue.start(evse=1, remote_start_id=31)
    event = await tongue.csms.hears("TransactionEvent", triggerReason="RemoteStart")
    assert event["transactionInfo"]["remoteStartId"] == 31
    await tongue.csms.hears("TransactionEvent", triggerReason="ChargingStateChanged")
    told = ["remoteStartId" in one["transactionInfo"] for one in tongue.csms.heard("TransactionEvent")]
    assert told.count(True) == 1


async def test_f01_fr_21_an_evse_that_is_reserved_for_another_token_starts_nothing(meet, ocpp):
    _, tongue = await meet(ocpp)
    await tongue.reserve(1, "CARD-B", evse=1)
    assert await tongue.start("CARD-A", evse=1) == "Rejected"
    assert await tongue.start("CARD-B", evse=1) == "Accepted"


async def test_f01_fr_22_an_evse_that_is_reserved_for_another_group_starts_nothing(meet, ocpp2):
    _, tongue = await meet(ocpp2)
    await tongue.reserve(1, "CARD-B", evse=1, group="FLEET")
    assert await tongue.start("CARD-A", evse=1, group="OTHERS") == "Rejected"
    assert await tongue.start("CARD-A", evse=1, group="FLEET") == "Accepted"


async def test_f01_fr_23_an_evse_out_of_order_starts_nothing(meet, ocpp):
    station, tongue = await meet(ocpp)
    for word in ("Faulted", "Unavailable"):
        await station.set_status(2, word)
        assert await tongue.start("CARD-B", evse=2) == "Rejected"


async def test_f01_fr_24_an_evse_that_charges_starts_nothing(meet, ocpp):
    station, tongue = await meet(ocpp)
    await charge(station, tongue)
    assert await tongue.start("CARD-B", evse=1) == "Rejected"
    await station.set_status(2, "Faulted")
    assert await tongue.start("CARD-B") == "Rejected"


async def test_f02_fr_07_a_transaction_without_a_cable_times_out(meet, ocpp2):
    station, tongue = await meet(ocpp2, "no-plug", connection_timeout=1)
    await set_variable(tongue, "TxCtrlr.TxStartPoint", "Authorized")
    assert await tongue.start(evse=1) == "Accepted"
    assert (await tongue.event("Started"))["transactionInfo"]["remoteStartId"] == 99
    ended = await tongue.event("Ended")
    assert (ended["triggerReason"], ended["transactionInfo"]["stoppedReason"]) == ("EVConnectTimeout", "Timeout")
    assert station.evses[1].grant is None


async def test_f02_a_start_that_opened_no_transaction_dies_without_a_word(meet, ocpp):
    station, tongue = await meet(ocpp, "no-plug", connection_timeout=1)
    assert await tongue.start(evse=1) == "Accepted"
    await station.wait_for(lambda s: s.evses[1].grant is None)
    await tongue.csms.until(station.outbox.is_empty)
    assert not tongue.csms.heard("StartTransaction") + tongue.csms.heard("TransactionEvent")
    assert tongue.statuses(1)[-1] == "Available"


async def test_f03_fr_02_with_a_later_stop_point_the_end_comes_with_the_unplugging(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    await set_variable(tongue, "TxCtrlr.TxStopPoint", "EVConnected")
    await station.plug_in(1)
    await station.present(1, "CARD-A")
    running = await tongue.transaction_id(station)
    assert await tongue.stop(running) == "Accepted"
    stopped = await tongue.csms.hears("TransactionEvent", triggerReason="RemoteStop")
    assert (stopped["eventType"], stopped["transactionInfo"]["chargingState"]) == ("Updated", "EVConnected")
    assert await tongue.start("CARD-B", evse=1) == "Rejected"
    await station.unplug(1)
    ended = await tongue.event("Ended")
    assert ended["triggerReason"] == "EVCommunicationLost"
    assert ended["transactionInfo"]["stoppedReason"] == "Remote"
    assert ended["seqNo"] == stopped["seqNo"] + 1


async def test_f03_fr_02_the_simulated_driver_leaves_after_such_a_stop(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    await set_variable(tongue, "TxCtrlr.TxStopPoint", "EVConnected")
    await tongue.stop(await charge(station, tongue))
    await tongue.event("Ended")
    assert not station.evses[1].plugged


async def test_f03_fr_07_a_running_transaction_is_stopped(meet, ocpp):
    station, tongue = await meet(ocpp)
    assert await tongue.stop(await charge(station, tongue)) == "Accepted"
    ended = await tongue.ended()
    assert (ended["reason"] if tongue.old else ended["transactionInfo"]["stoppedReason"]) == "Remote"


async def test_f03_fr_08_an_unknown_transaction_cannot_be_stopped(meet, ocpp):
    station, tongue = await meet(ocpp)
    assert await tongue.stop("4711") == "Rejected"
    await tongue.stop(running := await charge(station, tongue))
    await tongue.ended()
    assert await tongue.stop(running) == "Rejected"


async def test_f04_the_end_tells_the_energy_of_the_whole_transaction(meet, ocpp):
    station, tongue = await meet(ocpp)
    await tongue.stop(await charge(station, tongue))
    started, ended = await tongue.started(), await tongue.ended()
    if tongue.old:
        assert ended["meterStop"] >= started["meterStart"]
    else:
        first, last = (event["meterValue"][0]["sampledValue"][0] for event in (started, ended))
        assert (first["context"], last["context"]) == ("Transaction.Begin", "Transaction.End")
        assert last["value"] >= first["value"]


async def test_f05_fr_01_a_connector_is_unlocked_even_without_a_cable(meet, ocpp):
    station, tongue = await meet(ocpp)
    assert await tongue.unlock(1) == "Unlocked"
    await station.plug_in(1)
    assert await tongue.unlock(1) == "Unlocked"
    assert not station.evses[1].plugged


async def test_f05_fr_02_an_authorized_transaction_is_not_interrupted(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    await charge(station, tongue)
    assert await tongue.unlock(1) == "OngoingAuthorizedTransaction"
    assert station.evses[1].transaction is not None


async def test_on_1_6_unlocking_ends_the_transaction_first(meet):
    station, tongue = await meet("1.6")
    await charge(station, tongue)
    assert await tongue.unlock(1) == "Unlocked"
    assert (await tongue.ended())["reason"] == "UnlockCommand"


async def test_f05_fr_03_an_unknown_connector_is_told_as_such(meet, ocpp):
    _, tongue = await meet(ocpp)
    assert await tongue.unlock(9) == ("NotSupported" if tongue.old else "UnknownConnector")


async def test_f06_fr_04_the_message_follows_the_answer(meet, ocpp):
    station, tongue = await meet(ocpp)
    before = len(station.log)
    assert await trigger(tongue, "Heartbeat") == "Accepted"
    await tongue.csms.hears("Heartbeat")
    sent = [frame for direction, frame in station.log[before:] if direction == "sent"]
    assert [frame[0] for frame in sent] == [3, 2]


async def test_f06_fr_05_what_cannot_be_told_is_rejected(meet, ocpp2):
    _, tongue = await meet(ocpp2)
    assert await trigger(tongue, "TransactionEvent") == "Rejected"
    assert await trigger(tongue, "MeterValues", evse={"id": 9}) == "Rejected"
    assert await trigger(tongue, "StatusNotification", evse={"id": 1, "connectorId": 9}) == "Rejected"


async def test_an_unknown_connector_of_1_6_has_no_status(meet):
    _, tongue = await meet("1.6")
    assert await trigger(tongue, "StatusNotification", connectorId=9) == "Rejected"


async def test_f06_fr_06_meter_values_are_told_of_the_evse_that_was_asked_about(meet, ocpp):
    station, tongue = await meet(ocpp)
    running = await charge(station, tongue, evse=2)
    assert (
        await trigger(tongue, "MeterValues", **({"connectorId": 2} if tongue.old else {"evse": {"id": 2}}))
        == "Accepted"
    )
    told = await tongue.csms.hears("MeterValues")
    assert told["meterValue"][0]["sampledValue"][0]["context"] == "Trigger"
    assert (told["connectorId"] if tongue.old else told["evseId"]) == 2
    assert str(told.get("transactionId")) == (running if tongue.old else "None")


async def test_f06_fr_07_a_transaction_event_tells_the_present_state(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    running = await charge(station, tongue)
    await tongue.csms.hears("TransactionEvent", triggerReason="ChargingStateChanged")
    assert await trigger(tongue, "TransactionEvent", evse={"id": 1}) == "Accepted"
    event = await tongue.csms.hears("TransactionEvent", triggerReason="Trigger")
    assert event["eventType"] == "Updated"
    assert event["transactionInfo"] == {"transactionId": running, "chargingState": "Charging"}
    assert event["meterValue"]


async def test_f06_fr_08_a_message_that_the_station_does_not_have_is_not_implemented(meet, ocpp):
    _, tongue = await meet(ocpp)
    assert await trigger(tongue, "FirmwareStatusNotification") == "NotImplemented"


async def test_f06_fr_11_without_an_evse_all_of_them_are_meant(meet, ocpp):
    _, tongue = await meet(ocpp)
    assert await trigger(tongue, "MeterValues") == "Accepted"
    place = "connectorId" if tongue.old else "evseId"
    await tongue.csms.until(lambda: {told[place] for told in tongue.csms.heard("MeterValues")} == {1, 2})


async def test_f06_fr_12_and_fr_13_a_status_is_asked_for_with_evse_and_connector(meet, ocpp2):
    _, tongue = await meet(ocpp2)
    assert await trigger(tongue, "StatusNotification") == "Rejected"
    assert await trigger(tongue, "StatusNotification", evse={"id": 1}) == "Rejected"


async def test_f06_the_status_of_the_connector_that_was_asked_about_is_told(meet, telling):
    station, tongue = await meet(telling, evses=(("cCCS2",), ("cCCS2", "sType2")))
    await tongue.csms.until(station.outbox.is_empty)
    before = len(tongue.csms.calls)
    place = {"connectorId": 3} if tongue.old else {"evse": {"id": 2, "connectorId": 2}}
    assert await trigger(tongue, "StatusNotification", **place) == "Accepted"
    told = (3, 3) if tongue.old else (2, 2)
    await tongue.csms.until(lambda: tongue.told(before))
    await tongue.csms.until(station.outbox.is_empty)
    assert tongue.told(before) == [(*told, "Available")]


async def test_f06_fr_17_an_accepted_2_x_station_boots_no_more(meet, ocpp2):
    _, tongue = await meet(ocpp2)
    assert await trigger(tongue, "BootNotification") == "Rejected"


async def test_a_1_6_station_boots_again_when_asked(meet):
    _, tongue = await meet("1.6")
    assert await trigger(tongue, "BootNotification") == "Accepted"
    await tongue.csms.until(lambda: len(tongue.csms.heard("BootNotification")) == 2)


async def test_b02_fr_05_a_pending_station_starts_and_stops_nothing_but_boots_when_asked(meet, ocpp):
    def pending(csms):
        csms.boots += [{"status": "Pending", "currentTime": NOW, "interval": 60}]

    station, tongue = await meet(ocpp, prepare=pending, ready=False)
    await tongue.csms.hears("BootNotification")
    assert await tongue.start(evse=1) == "Rejected"
    assert await tongue.stop("1") == "Rejected"
    assert not station.ready
    assert await trigger(tongue, "BootNotification") == "Accepted"
    await tongue.shows(1, "Available")
    assert station.ready


async def test_b03_fr_08_a_rejected_station_obeys_nobody(meet, ocpp):
    def rejected(csms):
        csms.boots += [{"status": "Rejected", "currentTime": NOW, "interval": 60}]

    station, tongue = await meet(ocpp, prepare=rejected, ready=False)
    await station.wait_for(lambda s: any(frame[0] == 3 for direction, frame in s.log if direction == "received"))
    assert await tongue.reserve(1, evse=1) == "SecurityError"
    assert await tongue.start(evse=1) == "SecurityError"
