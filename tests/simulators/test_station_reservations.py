"""What a reservation is to the station (2.x use cases H01 to H04, 1.6 §5.1 and §5.13): a test for each requirement."""

import pytest

from gateway.simulators.reservations import EndReason, Update
from tests.simulators.tongue import token

ONE_TYPE_EACH = (("cCCS2", "sType2"), ("cCCS2",))


async def test_h01_fr_01_a_station_configured_not_to_reserve_rejects(meet, ocpp2):
    _, tongue = await meet(ocpp2)
    off = {"component": {"name": "ReservationCtrlr"}, "variable": {"name": "Enabled"}, "attributeValue": "false"}
    await tongue.csms.call("SetVariables", {"setVariableData": [off]})
    assert await tongue.reserve(1, evse=1) == "Rejected"
    assert await tongue.reserve(1) == "Rejected"


async def test_h01_fr_01_a_1_6_station_without_the_profile_rejects(meet):
    station, tongue = await meet("1.6")
    station.configuration.set("SupportedFeatureProfiles", "Core")
    assert await tongue.reserve(1, evse=1) == "Rejected"


async def test_h01_fr_02_the_same_id_replaces_the_reservation(meet, ocpp):
    station, tongue = await meet(ocpp)
    assert await tongue.reserve(1, evse=1) == "Accepted"
    await tongue.shows(1, "Reserved")
    before = len(tongue.csms.calls)
    assert await tongue.reserve(1, evse=2) == "Accepted"
    await tongue.shows(2, "Reserved", before)
    await tongue.shows(1, "Available", before)
    assert list(station.board.ledger.live) == [1]


async def test_h01_fr_03_another_id_is_accepted_when_an_evse_is_free(meet, ocpp):
    _, tongue = await meet(ocpp)
    assert await tongue.reserve(1, evse=1) == "Accepted"
    assert await tongue.reserve(2, "CARD-B", evse=2) == "Accepted"


async def test_h01_fr_04_without_an_evse_any_available_one_will_do(meet, ocpp):
    _, tongue = await meet(ocpp)
    assert await tongue.reserve(1) == "Accepted"


async def test_h01_fr_06_a_connector_type_can_be_reserved(meet, ocpp2):
    _, tongue = await meet(ocpp2)
    assert await tongue.reserve(1, connector_type="sType2") == "Accepted"
    assert await tongue.reserve(2, connector_type="cG105") == "Rejected"


async def test_h01_fr_07_one_evse_stays_free_for_a_whole_station_reservation(meet, ocpp):
    _, tongue = await meet(ocpp)
    await tongue.reserve(1)
    assert await tongue.start("STRANGER", evse=1) == "Accepted"
    await tongue.shows(2, "Reserved")
    assert await tongue.start("OTHER", evse=2) == "Rejected"
    assert await tongue.start("CARD-A", evse=2) == "Accepted"


async def test_h01_fr_09_one_connector_of_the_type_stays_free(meet, ocpp2):
    _, tongue = await meet(ocpp2)
    await tongue.reserve(1, connector_type="sType2")
    assert await tongue.start("STRANGER", evse=2) == "Rejected"
    assert await tongue.start("STRANGER", evse=1) == "Accepted"


async def test_h01_fr_11_occupied_and_reserved_targets_are_occupied(meet, ocpp):
    station, tongue = await meet(ocpp)
    await tongue.reserve(1, evse=1)
    await station.plug_in(2)
    assert await tongue.reserve(2, "CARD-B", evse=1) == "Occupied"
    assert await tongue.reserve(3, "CARD-B", evse=2) == "Occupied"
    assert await tongue.reserve(4, "CARD-B") == "Occupied"


async def test_h01_fr_12_faulted_targets_are_faulted(meet, ocpp):
    await _inoperative(meet, ocpp, "Faulted")


async def test_h01_fr_14_unavailable_targets_are_unavailable(meet, ocpp):
    await _inoperative(meet, ocpp, "Unavailable")


async def _inoperative(meet, ocpp, word):
    station, tongue = await meet(ocpp)
    await station.set_status(0, word)
    assert await tongue.reserve(1, evse=1) == word
    assert await tongue.reserve(2) == word
    if not tongue.old:
        assert await tongue.reserve(3, connector_type="sType2") == word


async def test_h01_fr_15_the_transaction_names_the_reservation_once(meet, ocpp):
    station, tongue = await meet(ocpp, meter_interval=1)
    await tongue.reserve(5, evse=1)
    await tongue.start("CARD-A", evse=1)
    await tongue.started()
    running = await tongue.transaction_id(station)
    await tongue.stop(running)
    await tongue.ended()
    assert tongue.reservation_told() == [5]


async def test_h01_fr_16_a_faulted_evse_loses_its_reservation(meet, telling):
    await _removed(meet, telling, "Faulted")


async def test_h01_fr_17_an_unavailable_evse_loses_its_reservation(meet, telling):
    await _removed(meet, telling, "Unavailable")


async def _removed(meet, telling, word):
    station, tongue = await meet(telling)
    await tongue.reserve(6, evse=1)
    await station.set_status(1, word)
    await tongue.shows(1, word)
    assert station.ended[-1].update is Update.REMOVED
    if not tongue.old:
        await tongue.csms.hears("ReservationStatusUpdate", reservationId=6, reservationUpdateStatus="Removed")
    assert await tongue.cancel(6) == "Rejected"


async def test_h01_fr_16_a_whole_station_reservation_is_removed_when_no_evse_is_left_for_it(meet, ocpp):
    station, tongue = await meet(ocpp)
    await tongue.reserve(6)
    await station.set_status(1, "Faulted")
    assert list(station.board.ledger.live) == [6]
    await station.set_status(2, "Faulted")
    assert not station.board.ledger.live
    if not tongue.old:
        await tongue.csms.hears("ReservationStatusUpdate", reservationId=6, reservationUpdateStatus="Removed")


async def test_h01_fr_18_any_evse_is_reserved_where_the_station_says_that_it_can(meet, ocpp2):
    _, tongue = await meet(ocpp2)
    name = {"component": {"name": "ReservationCtrlr"}, "variable": {"name": "NonEvseSpecific"}}
    [told] = (await tongue.csms.call("GetVariables", {"getVariableData": [name]}))["getVariableResult"]
    assert told["attributeValue"] == "true"
    assert await tongue.reserve(1) == "Accepted"
    assert await tongue.reserve(2, connector_type="sType2") == "Accepted"


async def test_h01_fr_18_a_1_6_station_reserves_connector_zero_where_it_says_that_it_can(meet):
    _, tongue = await meet("1.6")
    [told] = (await tongue.csms.call("GetConfiguration", {"key": ["ReserveConnectorZeroSupported"]}))[
        "configurationKey"
    ]
    assert told["value"] == "true"
    assert await tongue.reserve(1) == "Accepted"


async def test_h01_fr_19_without_support_an_evse_must_be_named(meet, ocpp):
    _, tongue = await meet(ocpp, non_evse_specific=False)
    assert await tongue.reserve(1) == "Rejected"
    if not tongue.old:
        assert await tongue.reserve(1, connector_type="sType2") == "Rejected"
    assert await tongue.reserve(1, evse=1) == "Accepted"


async def test_h01_fr_18_support_can_be_switched_on(meet, ocpp2):
    _, tongue = await meet(ocpp2, non_evse_specific=False)
    on = {"component": {"name": "reservationctrlr"}, "variable": {"name": "NonEvseSpecific"}, "attributeValue": "true"}
    answer = await tongue.csms.call("SetVariables", {"setVariableData": [on]})
    assert answer["setVariableResult"][0]["attributeStatus"] == "Accepted"
    assert await tongue.reserve(1) == "Accepted"


async def test_h01_fr_20_reserved_is_shown_when_every_available_evse_is_needed(meet, telling):
    _, tongue = await meet(telling)
    before = len(tongue.csms.calls)
    await tongue.reserve(1)
    await tongue.reserve(2, "CARD-B")
    await tongue.shows(1, "Reserved", before)
    await tongue.shows(2, "Reserved", before)
    assert await tongue.reserve(3, "CARD-C") == "Occupied"


async def test_h01_fr_20_the_last_evse_is_shown_reserved_when_the_others_are_taken(meet, telling):
    station, tongue = await meet(telling)
    await tongue.reserve(1)
    await tongue.csms.until(station.outbox.is_empty)
    assert "Reserved" not in tongue.statuses(1) + tongue.statuses(2)
    await tongue.start("STRANGER", evse=1)
    await tongue.shows(2, "Reserved")


async def test_h01_fr_23_every_connector_of_the_reserved_evse_shows_it(meet, telling2):
    _, tongue = await meet(telling2, evses=ONE_TYPE_EACH)
    await tongue.reserve(1, evse=1)
    await tongue.shows(1, "Reserved", connector=1)
    await tongue.shows(1, "Reserved", connector=2)


async def test_h01_fr_23_the_reserved_connector_of_1_6_shows_it(meet):
    _, tongue = await meet("1.6")
    await tongue.reserve(1, evse=2)
    await tongue.shows(2, "Reserved")
    assert "Reserved" not in tongue.statuses(1)


async def test_h01_fr_24_the_last_evse_with_the_type_is_shown_reserved(meet, telling2):
    station, tongue = await meet(telling2, evses=ONE_TYPE_EACH)
    await tongue.reserve(1, connector_type="cCCS2")
    await tongue.csms.until(station.outbox.is_empty)
    assert "Reserved" not in tongue.statuses(1) + tongue.statuses(2)
    await tongue.reserve(2, "CARD-B", connector_type="sType2")
    await tongue.shows(1, "Reserved")
    await tongue.shows(2, "Reserved")


async def test_a_past_expiry_is_rejected(meet, ocpp):
    _, tongue = await meet(ocpp)
    assert await tongue.reserve(1, evse=1, seconds=-1) == "Rejected"


async def test_an_unknown_evse_is_rejected(meet, ocpp):
    _, tongue = await meet(ocpp)
    assert await tongue.reserve(1, evse=9) == "Rejected"
    assert await tongue.start(evse=9) == "Rejected"


async def test_an_unknown_evse_has_its_reason_code(meet, ocpp2):
    _, tongue = await meet(ocpp2)
    wish = {"id": 1, "expiryDateTime": "2099-01-01T00:00:00Z", "idToken": token("A"), "evseId": 9}
    assert (await tongue.csms.call("ReserveNow", wish))["statusInfo"]["reasonCode"] == "UnknownEvse"


async def test_h02_fr_01_an_unknown_reservation_cannot_be_cancelled(meet, ocpp):
    _, tongue = await meet(ocpp)
    assert await tongue.cancel(404) == "Rejected"


async def test_h02_fr_02_a_known_reservation_is_cancelled(meet, ocpp):
    station, tongue = await meet(ocpp)
    await tongue.reserve(1, evse=1)
    assert await tongue.cancel(1) == "Accepted"
    assert station.ended[-1].reason is EndReason.CANCELLED
    assert await tongue.cancel(1) == "Rejected"


async def test_h02_fr_03_a_cancelled_evse_charges_anybody_again(meet, ocpp):
    _, tongue = await meet(ocpp)
    await tongue.reserve(1, evse=1)
    assert await tongue.start("STRANGER", evse=1) == "Rejected"
    await tongue.cancel(1)
    assert await tongue.start("STRANGER", evse=1) == "Accepted"


async def test_h02_fr_04_each_connector_of_a_cancelled_evse_shows_available(meet, telling):
    _, tongue = await meet(telling)
    await tongue.reserve(1, evse=1)
    await tongue.shows(1, "Reserved")
    before = len(tongue.csms.calls)
    await tongue.cancel(1)
    await tongue.shows(1, "Available", before)


async def test_h02_fr_04_both_connectors_of_an_evse_show_available(meet, telling2):
    _, tongue = await meet(telling2, evses=ONE_TYPE_EACH)
    await tongue.reserve(1, evse=1)
    await tongue.shows(1, "Reserved", connector=2)
    before = len(tongue.csms.calls)
    await tongue.cancel(1)
    await tongue.shows(1, "Available", before, connector=1)
    await tongue.shows(1, "Available", before, connector=2)


async def test_h02_fr_05_a_cancelled_whole_station_reservation_leaves_every_evse_to_anybody(meet, ocpp):
    _, tongue = await meet(ocpp)
    await tongue.reserve(1)
    assert await tongue.start("STRANGER", evse=1) == "Accepted"
    assert await tongue.start("OTHER", evse=2) == "Rejected"
    await tongue.cancel(1)
    assert await tongue.start("OTHER", evse=2) == "Accepted"


async def test_h02_fr_06_cancelling_one_of_two_shows_both_evses_available(meet, telling):
    _, tongue = await meet(telling)
    await tongue.reserve(1)
    await tongue.reserve(2, "CARD-B")
    await tongue.shows(1, "Reserved")
    await tongue.shows(2, "Reserved")
    before = len(tongue.csms.calls)
    await tongue.cancel(1)
    await tongue.shows(1, "Available", before)
    await tongue.shows(2, "Available", before)


async def test_h02_fr_06_an_evse_that_is_reserved_itself_stays_so(meet, telling):
    station, tongue = await meet(telling)
    await tongue.reserve(1, evse=1)
    await tongue.reserve(2, "CARD-B")
    await tongue.shows(2, "Reserved")
    before = len(tongue.csms.calls)
    await tongue.cancel(2)
    await tongue.shows(2, "Available", before)
    await tongue.csms.until(station.outbox.is_empty)
    assert tongue.statuses(1)[-1] == "Reserved"


async def test_h02_a_cancel_by_the_csms_is_not_told_back(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    await tongue.reserve(1, evse=1)
    await tongue.cancel(1)
    await tongue.csms.until(station.outbox.is_empty)
    assert not tongue.csms.heard("ReservationStatusUpdate")


async def test_h03_fr_01_only_the_token_may_use_its_evse(meet, ocpp):
    _, tongue = await meet(ocpp)
    await tongue.reserve(1, evse=1)
    assert await tongue.start("STRANGER", evse=1) == "Rejected"
    assert await tongue.start("card-a", evse=1) == "Accepted"


async def test_h03_fr_02_the_token_uses_an_evse_with_its_type(meet, ocpp2):
    _, tongue = await meet(ocpp2)
    await tongue.reserve(7, connector_type="sType2")
    assert await tongue.start(evse=2) == "Accepted"
    await tongue.event("Started")
    assert tongue.reservation_told() == [7]


async def test_h03_fr_03_the_token_uses_any_evse_for_a_whole_station_reservation(meet, ocpp):
    _, tongue = await meet(ocpp)
    await tongue.reserve(8)
    assert await tongue.start(evse=2) == "Accepted"
    await tongue.started()
    assert tongue.reservation_told() == [8]


async def test_h03_fr_04_a_card_of_the_group_may_use_its_evse(meet, ocpp):
    await _used_by_the_group(meet, ocpp, evse=1)


async def test_h03_fr_06_a_card_of_the_group_may_use_any_evse(meet, ocpp):
    await _used_by_the_group(meet, ocpp, evse=None)


async def _used_by_the_group(meet, ocpp, evse):
    station, tongue = await meet(ocpp, prepare=lambda csms: csms.tokens.update({"CARD-B": ("Accepted", "FLEET")}))
    await tongue.reserve(9, evse=evse, group="FLEET")
    assert await station.present(1, "CARD-B")
    await station.plug_in(1)
    await tongue.started()
    assert tongue.reservation_told() == [9]


async def test_h03_fr_05_a_remote_start_of_the_group_may_use_a_type(meet, ocpp2):
    _, tongue = await meet(ocpp2)
    await tongue.reserve(9, connector_type="sType2", group="FLEET")
    assert await tongue.start("CARD-B", evse=2) == "Rejected"
    assert await tongue.start("CARD-B", evse=2, group="fleet") == "Accepted"


async def test_h03_fr_07_the_group_of_a_known_card_is_found_offline(meet, ocpp):
    station, tongue = await meet(ocpp, prepare=lambda csms: csms.tokens.update({"CARD-B": ("Accepted", "FLEET")}))
    await station.present(2, "CARD-B")
    await tongue.reserve(9, evse=1, group="FLEET")
    await station.go_offline()
    assert await station.present(1, "CARD-B")
    assert not await station.present(2, "NEVER-SEEN")


async def test_h03_fr_08_the_csms_is_asked_for_the_group(meet, ocpp):
    station, tongue = await meet(ocpp)
    await station.present(1, "CARD-A")
    assert len(tongue.csms.heard("Authorize")) == 1


async def test_h03_fr_09_a_presented_token_consumes_even_without_a_cable(meet, ocpp):
    station, tongue = await meet(ocpp)
    await tongue.reserve(1, evse=1)
    assert await station.present(1, "CARD-A")
    assert station.ended[-1].reason is EndReason.USED_TO_START_CHARGING
    assert await tongue.cancel(1) == "Rejected"


async def test_h03_fr_09_a_group_that_is_presented_consumes_too(meet, ocpp):
    station, tongue = await meet(ocpp, prepare=lambda csms: csms.tokens.update({"CARD-B": ("Accepted", "FLEET")}))
    await tongue.reserve(1, evse=1, group="FLEET")
    assert await station.present(1, "CARD-B")
    assert station.ended[-1].reason is EndReason.USED_TO_START_CHARGING


async def test_h03_fr_10_a_consumed_evse_shows_available_without_a_cable(meet, telling):
    station, tongue = await meet(telling)
    await tongue.reserve(1, evse=1)
    await tongue.shows(1, "Reserved")
    before = len(tongue.csms.calls)
    assert await station.present(1, "CARD-A")
    await tongue.shows(1, "Preparing" if tongue.old else "Available", before)


async def test_h03_fr_10_a_consumed_evse_shows_occupied_with_a_cable(meet, telling):
    station, tongue = await meet(telling)
    await tongue.reserve(1, evse=1)
    await station.plug_in(1)
    await tongue.shows(1, "Reserved")
    before = len(tongue.csms.calls)
    assert await station.present(1, "CARD-A")
    await tongue.shows(1, "Charging" if tongue.old else "Occupied", before)


async def test_h03_a_stranger_is_refused_and_the_evse_stays_reserved(meet, ocpp):
    station, tongue = await meet(ocpp)
    await tongue.reserve(1, evse=1)
    await tongue.shows(1, "Reserved")
    await station.plug_in(1)
    assert not await station.present(1, "STRANGER")
    await tongue.csms.until(station.outbox.is_empty)
    assert tongue.statuses(1)[-1] == "Reserved"
    assert not tongue.csms.heard("StartTransaction")
    assert not tongue.csms.heard("TransactionEvent")


async def test_h03_cable_first_starts_a_transaction_that_does_not_charge_for_a_stranger(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    point = {"component": {"name": "TxCtrlr"}, "variable": {"name": "TxStartPoint"}, "attributeValue": "EVConnected"}
    await tongue.csms.call("SetVariables", {"setVariableData": [point]})
    await tongue.reserve(1, evse=1)
    await station.plug_in(1)
    assert "idToken" not in await tongue.event("Started")
    assert not await station.present(1, "STRANGER")
    await station.unplug(1)
    ended = await tongue.event("Ended")
    assert ended["transactionInfo"]["stoppedReason"] == "EVDisconnected"
    assert list(station.board.ledger.live) == [1]


async def test_h03_cable_first_the_right_token_takes_over_the_transaction(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    point = {"component": {"name": "TxCtrlr"}, "variable": {"name": "TxStartPoint"}, "attributeValue": "EVConnected"}
    await tongue.csms.call("SetVariables", {"setVariableData": [point]})
    await tongue.reserve(1, evse=1)
    await station.plug_in(1)
    started = await tongue.event("Started")
    answer = await tongue.csms.call(*tongue.starting(evse=1))
    assert answer == {"status": "Accepted", "transactionId": started["transactionInfo"]["transactionId"]}
    updated = await tongue.csms.hears("TransactionEvent", triggerReason="RemoteStart")
    assert updated["reservationId"] == 1
    await tongue.csms.hears("TransactionEvent", triggerReason="ChargingStateChanged")


async def test_h03_fr_11_a_reservation_used_without_a_transaction_is_told_where_the_version_can(meet, ocpp2):
    station, tongue = await meet(ocpp2, "no-plug", connection_timeout=0)
    await tongue.reserve(3, evse=1)
    await tongue.start(evse=1)
    await station.wait_for(lambda s: s.ended and s.evses[1].grant is None)
    if ocpp2 == "2.1":
        await tongue.csms.hears("ReservationStatusUpdate", reservationId=3, reservationUpdateStatus="NoTransaction")
    await tongue.csms.until(station.outbox.is_empty)
    assert tongue.statuses(1)[-1] == "Available"
    assert len(tongue.csms.heard("ReservationStatusUpdate")) == (ocpp2 == "2.1")


async def test_h04_fr_01_an_expired_reservation_is_told(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    assert await tongue.reserve(4, evse=1, seconds=2) == "Accepted"
    await tongue.csms.hears("ReservationStatusUpdate", reservationId=4, reservationUpdateStatus="Expired")
    assert station.ended[-1].reason is EndReason.EXPIRED


@pytest.mark.parametrize("evse", [1, None])
async def test_h04_fr_01_an_expired_reservation_is_gone_on_1_6_too(meet, evse):
    station, tongue = await meet("1.6")
    assert await tongue.reserve(4, evse=evse, seconds=2) == "Accepted"
    await station.wait_for(lambda s: s.ended)
    assert station.ended[-1].reason is EndReason.EXPIRED
    assert await tongue.cancel(4) == "Rejected"


async def test_h04_fr_02_after_the_expiry_anybody_may_charge_there(meet, ocpp):
    station, tongue = await meet(ocpp)
    await tongue.reserve(4, evse=1, seconds=2)
    assert await tongue.start("STRANGER", evse=1) == "Rejected"
    await station.wait_for(lambda s: s.ended)
    assert await tongue.start("STRANGER", evse=1) == "Accepted"


async def test_h04_fr_03_after_the_expiry_the_evse_shows_available(meet, telling):
    _, tongue = await meet(telling)
    before = len(tongue.csms.calls)
    await tongue.reserve(4, evse=1, seconds=2)
    await tongue.shows(1, "Reserved", before)
    await tongue.csms.until(lambda: tongue.statuses(1)[-1] == "Available")


async def test_h04_an_expiry_while_offline_is_told_later(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    await tongue.reserve(4, evse=1, seconds=2)
    await station.go_offline()
    await station.wait_for(lambda s: s.ended)
    await station.go_online()
    await tongue.csms.hears("ReservationStatusUpdate", reservationId=4)


async def test_b01_fr_13_reservations_survive_a_reboot(meet, telling):
    station, tongue = await meet(telling)
    await tongue.reserve(1, evse=1)
    before = len(tongue.csms.calls)
    await station.reboot()
    await tongue.shows(1, "Reserved", before)
    assert len(tongue.csms.heard("BootNotification")) == 2
