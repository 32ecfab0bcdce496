"""The ids and numbers by which a station's transactions are told apart and put in order (2.x E01)."""


async def test_e01_fr_07_the_events_of_a_transaction_are_numbered_from_0_without_a_gap(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    assert await tongue.start(evse=1) == "Accepted"
    await tongue.started()
    assert await tongue.stop(await tongue.transaction_id(station)) == "Accepted"
    await tongue.ended()
    numbers = [event["seqNo"] for event in tongue.csms.heard("TransactionEvent")]
    assert len(numbers) > 1
    assert numbers == list(range(len(numbers)))


async def test_e01_fr_08_no_two_transactions_have_one_id_though_the_station_reboots_between_them(meet, ocpp2):
    station, tongue = await meet(ocpp2)
    seen: list[str] = []
    for boots in (2, 3):
        assert await tongue.start(evse=1) == "Accepted"
        await tongue.csms.until(lambda boots=boots: len(_told(tongue, "Started")) == boots - 1)
        seen = _told(tongue, "Started")
        assert await tongue.stop(seen[-1]) == "Accepted"
        await tongue.csms.until(lambda boots=boots: len(_told(tongue, "Ended")) == boots - 1)
        before = len(tongue.csms.calls)
        await station.reboot()
        await tongue.csms.until(lambda boots=boots: len(tongue.csms.heard("BootNotification")) == boots)
        await tongue.shows(1, "Available", before)
    assert len(set(seen)) == 2


def _told(tongue, type_: str) -> list[str]:
    """The transactions of which this was told."""
    events = tongue.csms.heard("TransactionEvent")
    return [one["transactionInfo"]["transactionId"] for one in events if one["eventType"] == type_]
