import asyncio
from time import monotonic
from typing import Any

import pytest

from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.events import Registration
from ocpp_bridge.line import Pace
from ocpp_bridge.memory import Asked, Memory
from ocpp_bridge.orders import AskTransaction, IdToken, RequestStart, RequestStop
from tests.ocpp_bridge.house import Door, House, reserve, until

STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
ALL = ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"]


@pytest.mark.parametrize("subprotocol", ALL)
async def test_a_result_ends_the_order(house: House, subprotocol: str) -> None:
    async with Door(house) as door, door.station("CS-1", subprotocol) as cs:
        order = house.order("CS-1")
        door.ring()
        type_, message_id, action, payload = await cs.hear()
        assert (type_, action, payload) == (2, "CancelReservation", {"reservationId": order})
        await cs.say(3, message_id, {"status": "Accepted"})
        assert await house.ending(order) == Answer(ending=Ending.RESULT, status="Accepted")
        assert house.answers[0][2] == subprotocol
    assert len(door.around.memory) == 0


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ([4, "ID", "NotImplemented", "no"], Answer(ending=Ending.CALL_ERROR, status="NotImplemented", detail="no")),
        ([4, "ID", "SecurityError"], Answer(ending=Ending.CALL_ERROR, status="SecurityError")),
        ([4, "ID"], Answer(ending=Ending.CALL_ERROR)),
        (
            [4, "ID", "InternalError", "x" * 1000, {}],
            Answer(ending=Ending.CALL_ERROR, status="InternalError", detail="x" * 512),
        ),
    ],
)
async def test_a_call_error_is_a_definite_ending_whatever_it_lacks(
    house: House, reply: list[Any], answer: Answer
) -> None:
    async with Door(house) as door, door.station() as cs:
        order = house.order("CS-1")
        door.ring()
        message_id = (await cs.hear())[1]
        await cs.say(*(message_id if part == "ID" else part for part in reply))
        assert await house.ending(order) == answer


@pytest.mark.parametrize("rest", ['{"status":', "7]", "{}]", "null]", "]"])
async def test_a_result_that_cannot_be_understood_ends_the_order_at_once(house: House, rest: str) -> None:
    async with Door(house) as door, door.station() as cs:
        order = house.order("CS-1")
        door.ring()
        message_id = (await cs.hear())[1]
        await cs.socket.send(f'[3,"{message_id}"' + ("" if rest == "]" else ",") + rest)
        assert (await house.ending(order)).ending is Ending.BAD_RESULT


async def test_minus_one_answers_the_one_call_that_is_out(house: House) -> None:
    async with Door(house) as door, door.station("CS-1", "ocpp2.0.1") as cs:
        order = house.order("CS-1")
        door.ring()
        await cs.hear()
        await cs.say(4, "-1", "RpcFrameworkError", "", {})
        assert (await house.ending(order)).status == "RpcFrameworkError"


async def test_a_station_may_authorize_before_it_answers_reserve_now(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        order = house.order("CS-1", reserve())
        door.ring()
        message_id = (await cs.hear())[1]
        answer = await cs.ask("a1", "Authorize", {"idTag": "TAG1"})
        assert answer[:2] == [3, "a1"]
        assert answer[2]["idTagInfo"]["status"] == "Accepted"
        assert not house.answers
        await cs.say(3, message_id, {"status": "Accepted"})
        assert (await house.ending(order)).status == "Accepted"


async def test_one_call_is_out_at_a_time_and_orders_keep_their_order(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        orders = [house.order("CS-1") for _ in range(5)]
        for _ in range(3):
            door.ring()
        said = []
        for _ in orders:
            message = await cs.hear()
            said.append(message[3]["reservationId"])
            # Whatever else were out would come before the answer to this.
            assert (await cs.ask("h", "Heartbeat", {}))[0] == 3
            await cs.say(3, message[1], {"status": "Accepted"})
        await until(lambda: len(house.answers) == 5)
        assert said == [number for number, *_ in house.answers] == orders


async def test_our_message_ids_are_never_used_twice(house: House) -> None:
    ids = set()
    async with Door(house) as door, door.station() as cs:
        for _ in range(10):
            house.order("CS-1")
        door.ring()
        for _ in range(10):
            message_id = (await cs.hear())[1]
            ids.add(message_id)
            await cs.say(3, message_id, {"status": "Accepted"})
    assert len(ids) == 10
    assert {len(one) for one in ids} == {36}


async def test_no_answer_until_the_deadline_is_no_answer_and_the_next_order_goes_out(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        mute, next_one = house.order("CS-1", seconds=0.2), house.order("CS-1")
        door.ring()
        await cs.hear()
        assert (await house.ending(mute)).ending is Ending.NO_ANSWER
        await cs.say(3, (await cs.hear())[1], {"status": "Rejected"})
        assert (await house.ending(next_one)).status == "Rejected"


async def test_a_late_answer_is_told_once_more_and_only_once(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        order = house.order("CS-1", seconds=0.1)
        door.ring()
        message_id = (await cs.hear())[1]
        await house.ending(order)
        await cs.say(3, message_id, {"status": "Accepted"})
        await cs.say(3, message_id, {"status": "Rejected"})
        await until(lambda: door.around.counts["answers to nothing"])
        assert [answer.ending for answer in house.endings(order)] == [Ending.NO_ANSWER, Ending.RESULT]
        assert house.endings(order)[1].status == "Accepted"


async def test_a_lost_socket_ends_the_order_at_once_and_its_answer_may_come_on_the_next_socket(house: House) -> None:
    async with Door(house) as door:
        async with door.station() as cs:
            order = house.order("CS-1", seconds=3600)
            door.ring()
            message_id = (await cs.hear())[1]
            cs.socket.transport.abort()
            assert (await house.ending(order)).ending is Ending.CONNECTION_LOST
        async with door.station("CS-1", "ocpp2.0.1") as cs:
            await cs.say(3, message_id, {"status": "Accepted"})
            await until(lambda: len(house.endings(order)) == 2)
            assert house.endings(order)[1].status == "Accepted"
            # Read, and told, in the version that the order was said in.
            assert house.answers[1][2] == "ocpp1.6"


async def test_another_station_cannot_answer_for_the_one_that_was_asked(house: House) -> None:
    house.know("CS-2")
    async with Door(house) as door, door.station() as cs, door.station("CS-2") as other:
        order = house.order("CS-1")
        door.ring()
        message_id = (await cs.hear())[1]
        await other.say(3, message_id, {"status": "Accepted"})
        await until(lambda: door.around.counts["answers to nothing"])
        assert not house.answers
        await cs.say(3, message_id, {"status": "Rejected"})
        assert (await house.ending(order)).status == "Rejected"


async def test_answers_nobody_asked_for_are_counted_and_change_nothing(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        order = house.order("CS-1")
        door.ring()
        message_id = (await cs.hear())[1]
        for stray in range(400):
            await cs.say(3, f"stray-{stray}", {"status": "Rejected"})
        await cs.say(3, message_id, {"status": "Accepted"})
        assert (await house.ending(order)).status == "Accepted"
        assert door.around.counts["answers to nothing"] == 400


async def test_queue_time_counts_a_deadline_that_is_past_sends_nothing(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        order = house.order("CS-1", seconds=-1)
        door.ring()
        answer = await house.ending(order)
        assert answer.ending is Ending.NOT_SENT
        assert "deadline" in answer.detail
        assert (await cs.ask("h", "Heartbeat", {}))[:2] == [3, "h"]


async def test_an_order_that_cannot_be_said_is_not_sent_and_says_why(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        orders = [
            house.order("CS-1", RequestStop(transaction_id="not a number")),
            house.order("CS-1", RequestStart(id_token=IdToken(value="x" * 21), remote_start_id=1)),
            house.order("CS-1", AskTransaction(transaction_id="4711")),
        ]
        door.ring()
        for order in orders:
            answer = await house.ending(order)
            assert answer.ending is Ending.NOT_SENT
            assert answer.detail
        assert (await cs.ask("h", "Heartbeat", {}))[:2] == [3, "h"]


@pytest.mark.parametrize("registration", [None, Registration.PENDING, Registration.REJECTED])
async def test_a_station_that_is_not_accepted_is_sent_nothing(house: House, registration: Registration | None) -> None:
    house.know("CS-1", registration)
    async with Door(house) as door, door.station() as cs:
        order = house.order("CS-1")
        door.ring()
        answer = await house.ending(order)
        assert answer.ending is Ending.NOT_SENT
        assert answer.detail.startswith("station is not accepted (boot")
        assert (await cs.ask("h", "Heartbeat", {}))[:2] == [3, "h"]


@pytest.mark.parametrize("subprotocol", ALL)
async def test_after_an_accepted_boot_orders_go_first_and_abilities_are_asked_when_idle(
    house: House, subprotocol: str
) -> None:
    house.know("CS-1", None)
    async with Door(house) as door, door.station("CS-1", subprotocol) as cs:
        order = house.order("CS-1")
        assert (await cs.boot())[2]["status"] == "Accepted"
        message = await cs.hear()
        assert message[2] == "CancelReservation"
        await cs.say(3, message[1], {"status": "Accepted"})
        message = await cs.hear()
        assert message[2] in {"GetConfiguration", "GetVariables"}
        await cs.say(4, message[1], "NotSupported", "", {})
        await until(lambda: house.told_abilities)
        assert house.told_abilities[0][2].ending is Ending.CALL_ERROR
        assert house.endings(order)


async def test_a_pending_boot_lets_no_order_out(house: House) -> None:
    house.know("CS-1", None)
    house.boot_status = Registration.PENDING
    async with Door(house) as door, door.station() as cs:
        await cs.boot()
        order = house.order("CS-1")
        door.ring()
        assert (await house.ending(order)).detail == "station is not accepted (boot Pending)"


async def test_abilities_are_asked_at_connect_when_the_house_wants_them(house: House) -> None:
    house.ask_abilities = True
    async with Door(house) as door, door.station() as cs:
        message = await cs.hear()
        await cs.say(3, message[1], {"configurationKey": [], "unknownKey": []})
        await until(lambda: house.told_abilities)
    assert house.told_abilities[0][2].ending is Ending.RESULT


async def test_a_station_that_is_no_longer_ours_is_sent_nothing(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        house.order("CS-1")
        door.ours = False
        door.ring()
        assert (await cs.ask("h", "Heartbeat", {}))[:2] == [3, "h"]
        assert ("claim", "CS-1") not in house.log
        assert door.sessions["CS-1"].line.waiting


async def test_a_station_lost_between_claim_and_write_leaves_the_order_not_sent(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        order = house.order("CS-1")
        claim = house.claim

        async def claim_and_lose(station: str) -> Any:
            claimed = await claim(station)
            door.ours = False
            return claimed

        house.claim = claim_and_lose  # type: ignore[method-assign]
        door.ring()
        assert (await house.ending(order)).ending is Ending.NOT_SENT
        assert (await cs.ask("h", "Heartbeat", {}))[:2] == [3, "h"]


async def test_a_house_that_stumbles_is_told_again(house: House) -> None:
    house.stumbles = 2
    async with Door(house, Pace(tell_again=(0.01, 0.01, 0.01))) as door, door.station() as cs:
        orders = [house.order("CS-1"), house.order("CS-1")]
        door.ring()
        for order in orders:
            await cs.say(3, (await cs.hear())[1], {"status": "Accepted"})
            assert (await house.ending(order)).status == "Accepted"


async def test_calls_of_a_station_are_answered_in_order(house: House) -> None:
    house.slow = 0.02
    async with Door(house) as door, door.station() as cs:
        await cs.say(2, "1", "StatusNotification", STATUS)
        await cs.say(2, "2", "Heartbeat", {})
        await cs.say(2, "3", "StatusNotification", STATUS)
        assert [(await cs.hear())[1] for _ in range(3)] == ["1", "2", "3"]
        assert door.sessions["CS-1"].line.busy is False


async def test_a_flood_is_held_back_and_every_call_is_answered(house: House) -> None:
    async with Door(house, Pace(inbound=2, rate=2000, burst=10)) as door, door.station() as cs:

        async def flood() -> None:
            for number in range(300):
                await cs.say(2, str(number), "StatusNotification", STATUS)

        flooding = asyncio.create_task(flood())
        assert [(await cs.hear())[1] for _ in range(300)] == [str(number) for number in range(300)]
        await flooding
        assert len(door.house.statuses) == 300


async def test_a_repeated_call_gets_the_same_answer_and_happens_once(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        first = await cs.ask("s1", "StatusNotification", STATUS)
        assert await cs.ask("s1", "StatusNotification", STATUS) == first
        assert len(house.statuses) == 1
        await cs.ask("s1", "StatusNotification", STATUS | {"connectorId": 2})
        assert len(house.statuses) == 2
        assert door.around.counts["repeated calls"] == 1


async def test_a_bug_in_the_house_is_an_internal_error_and_the_session_lives(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        assert (await cs.ask("a", "Authorize", {"idTag": "BOOM"}))[:3] == [4, "a", "InternalError"]
        assert (await cs.ask("b", "Authorize", {"idTag": "TAG1"}))[:2] == [3, "b"]
        assert door.ended == 0


async def test_a_house_that_hangs_is_an_internal_error(house: House) -> None:
    house.slow = 60
    async with Door(house, Pace(ear=0.05)) as door, door.station() as cs:
        assert (await cs.ask("a", "Authorize", {"idTag": "TAG1"}))[:3] == [4, "a", "InternalError"]
        assert door.ended == 0


@pytest.mark.parametrize("subprotocol", ALL)
async def test_known_and_unknown_actions_are_told_apart(house: House, subprotocol: str) -> None:
    async with Door(house) as door, door.station("CS-1", subprotocol) as cs:
        assert (await cs.ask("a", "MakeCoffee", {}))[:3] == [4, "a", "NotImplemented"]
        assert (await cs.ask("b", "ReserveNow", {}))[:3] == [4, "b", "NotSupported"]
        assert door.ended == 0


@pytest.mark.parametrize(
    ("subprotocol", "frame", "answer"),
    [
        ("ocpp1.6", '[2,"a",["x"],{}]', [4, "a", "FormationViolation"]),
        ("ocpp1.6", '[2,"a","Heartbeat",7]', [4, "a", "FormationViolation"]),
        ("ocpp1.6", '[2,"a","Heartbeat",{', [4, "a", "FormationViolation"]),
        ("ocpp2.0.1", '[2,"a",["x"],{}]', [4, "a", "RpcFrameworkError"]),
        ("ocpp2.0.1", '[2,"a","Heartbeat",7]', [4, "a", "FormatViolation"]),
        ("ocpp2.0.1", '[2,null,"Heartbeat",{}]', [4, "-1", "RpcFrameworkError"]),
        ("ocpp2.0.1", "[" * 100_000, [4, "-1", "RpcFrameworkError"]),
        ("ocpp2.0.1", '[9,"a",{}]', [4, "a", "MessageTypeNotSupported"]),
        ("ocpp2.0.1", '[6,"a","NotifyPeriodicEventStream",{}]', [4, "a", "MessageTypeNotSupported"]),
        ("ocpp2.1", '[2,null,"Heartbeat",{}]', [4, "-1", "RpcFrameworkError"]),
    ],
)
async def test_an_unreadable_message_is_answered_as_its_version_wants(
    house: House, subprotocol: str, frame: str, answer: list[Any]
) -> None:
    async with Door(house) as door, door.station("CS-1", subprotocol) as cs:
        await cs.socket.send(frame)
        assert (await cs.hear())[:3] == answer
        assert door.around.counts["unreadable messages"] == 1


@pytest.mark.parametrize(
    ("subprotocol", "frame"),
    [
        ("ocpp1.6", '[2,null,"Heartbeat",{}]'),
        ("ocpp1.6", "not json"),
        ("ocpp1.6", '[9,"a",{}]'),
        ("ocpp1.6", '[6,"a","X",{}]'),
        ("ocpp2.1", '[9,"a",{}]'),
        ("ocpp2.1", '[6,"a","NotifyPeriodicEventStream",{}]'),
        ("ocpp2.1", '[6,"a","X",{}]'),
        ("ocpp2.0.1", '[4,null,"InternalError"]'),
    ],
)
async def test_what_wants_no_answer_gets_none(house: House, subprotocol: str, frame: str) -> None:
    async with Door(house) as door, door.station("CS-1", subprotocol) as cs:
        await cs.socket.send(frame)
        assert (await cs.ask(17, "Heartbeat", None))[:2] == [3, 17]
        assert door.ended == 0


async def test_invalid_utf8_costs_the_message_and_not_the_socket(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        await cs.socket.send(b'[2,"a","Authorize",{"idTag":"\xff"}]', text=True)
        assert (await cs.hear())[:3] == [4, "a", "FormationViolation"]
        assert (await cs.ask("h", "Heartbeat", {}))[:2] == [3, "h"]
        assert door.ended == 0


async def test_a_station_that_does_not_read_is_cut(house: House) -> None:
    async with Door(house, Pace(send=0.1, rate=1e6)) as door, door.station(max_queue=1) as cs:
        cs.socket.transport.pause_reading()

        async def shout() -> None:
            for number in range(100_000):
                await cs.say(2, str(number) + "x" * 200, "Heartbeat", {})

        shouting = asyncio.create_task(shout())
        await until(lambda: door.ended == 1)
        shouting.cancel()
        await asyncio.gather(shouting, return_exceptions=True)


async def test_every_claimed_order_is_told_when_the_socket_goes(house: House) -> None:
    async with Door(house) as door:
        async with door.station() as cs:
            out, queued = house.order("CS-1"), house.order("CS-1")
            door.ring()
            await cs.hear()
        await until(lambda: door.ended == 1)
        assert [answer.ending for answer in house.endings(out)] == [Ending.CONNECTION_LOST]
        assert not house.endings(queued)
        assert len(house.waiting["CS-1"]) == 1


def test_the_memory_is_bounded_and_forgets_in_time() -> None:
    def asked(left: float) -> Asked:
        deadline = monotonic() + left
        dialect = DIALECTS["ocpp1.6"]
        return Asked(station="CS-1", dialect=dialect, order=reserve(), order_id=1, deadline=deadline)

    memory = Memory(limit=2, grace=0)
    calls = [asked(60) for _ in range(3)]
    for one in calls:
        memory.keep(one)
    assert [memory.take("CS-1", one.message_id) for one in calls] == [None, *calls[1:]]
    memory.keep(asked(-1))
    assert len(memory) == 0
