"""Whatever eMSPs, stations, the CPO, the clock and restarts do, and in whatever order: what was promised holds.

A state machine drives the stories in a real database; stations are models that remember what they hold. Longer, and
with shrinking: ``pytest tests/gateway/test_life_machine.py --hypothesis-profile=deep``.
"""

import sys
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway import cdrs, evses, reserving
from gateway.domain.lifecycle import CALLBACK, COMMAND, LIVE, RESERVATION, SESSION, UNFINISHED
from ocpi.headers import Party
from ocpi.sessions import NOT_AVAILABLE
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.events import Phase, TransactionChanged
from ocpp_bridge.orders import AskTransaction, RequestStart, RequestStop, ReserveNow
from tests.support.indoors import Indoors, token_body
from tests.support.life import (
    CARD,
    FRIEND,
    LOCATIONS,
    STATIONS,
    TARIFFS,
    WHO,
    Charge,
    House,
    Station,
    done,
    reading,
    watch,
)

LIFECYCLES = {"reservation": RESERVATION, "session": SESSION, "command": COMMAND, "callback": CALLBACK}
#: The profile that the tests of this folder may be asked to run in.
DEEP = "deep"
FINAL = {"COMPLETED", "INVALID"}
PLACES = [(name, uid) for name, evses in LOCATIONS.items() for uid in (*evses, None)]
#: What a station can say instead of Accepted.
REFUSALS = ("Rejected", "Occupied", "Faulted", "Unavailable")
STATUSES = ("Available", "Reserved", "Preparing", "Occupied", "Charging", "Faulted", "Unavailable")

who = st.sampled_from(WHO)
station = st.sampled_from(list(STATIONS))
number = st.integers(0, 7)
place = st.sampled_from(PLACES)
until = st.sampled_from((90, 20, 2))
yes_or_no = st.booleans()
mostly = st.sampled_from((True, True, True, False))
#: Does it and says so, refuses, fails, does it and says what nobody understands or nothing, does nothing and is mute.
answers = st.sampled_from(
    ("does", "does", "does", "does", "refuses", "fails", "babbles", "is mute", "is dead", "later")
)
DOES, MUTE = {"does", "babbles", "is mute"}, {"is mute", "is dead", "later"}


class Life(RuleBasedStateMachine):
    def __init__(self, indoors: Indoors) -> None:
        super().__init__()
        self.indoors = indoors
        self.before: dict[str, dict[int, dict[str, Any]]] = {}
        self.owners: dict[int, Any] = {}
        #: Sessions of which the EVSE was not known once.
        self.anywhere: set[int] = set()

    @initialize()
    def world(self) -> None:
        self.house = House(self.indoors)

    # What eMSPs ask; ``then``: how the stations answer what waits for them

    @rule(by=who, id=st.sampled_from(("R-1", "r-1", "R-2")), at=place, token=number, minutes=until, then=answers)
    def reserve(self, by: str, id: str, at: tuple[str, str | None], token: int, minutes: int, then: str) -> None:
        one = self.house.people[by]
        body = self.indoors.reserve_body(
            one.partner, at[0], id=id, minutes=minutes, token=self._token(one.party, token), evse_uid=at[1]
        )
        self.house.ask(one, "RESERVE_NOW", body)
        self._served(then)

    @rule(by=who, which=number, own=mostly, then=answers)
    def cancel(self, by: str, which: int, own: bool, then: str) -> None:
        """One that somebody has made, by whoever made it or by another who calls one by the same name."""
        held = picked([row for row in self.indoors.rows("reservation") if row["partner"]], which)
        if held is None:
            return
        mine = [one for one in self.house.people.values() if one.key == (held["partner"], held["party_key"])]
        one = mine[0] if own else self.house.people[by]
        self.house.ask(one, "CANCEL_RESERVATION", {"reservation_id": held["reservation_id"]})
        self._served(then)

    @rule(by=who, at=place, token=number, then=answers)
    def start(self, by: str, at: tuple[str, str | None], token: int, then: str) -> None:
        one = self.house.people[by]
        body = {"token": self._token(one.party, token), "location_id": at[0], "evse_uid": at[1]}
        self.house.ask(one, "START_SESSION", body)
        self._served(then)

    @rule(by=who, which=number, own=mostly, then=answers)
    def stop(self, by: str, which: int, own: bool, then: str) -> None:
        """Anybody's session, of any state."""
        session = picked(self.indoors.rows("session"), which)
        if session is None:
            return
        mine = [one for one in self.house.people.values() if own and one.key == owner(session)]
        one = mine[0] if mine else self.house.people[by]
        said = self.house.ask(one, "STOP_SESSION", {"session_id": session["session_id"]})
        if owner(session) != one.key or session["state"] in FINAL:
            assert (said.response, said.dispatch) == ("REJECTED", ())
        self._served(then)

    @rule(by=who, at=place, then=answers)
    def unlock(self, by: str, at: tuple[str, str | None], then: str) -> None:
        body = {"location_id": at[0], "evse_uid": at[1] or "E1", "connector_id": "1"}
        self.house.ask(self.house.people[by], "UNLOCK_CONNECTOR", body)
        self._served(then)

    # What the CPO does itself

    @rule(at=place, minutes=until, type_=st.sampled_from((None, None, "sType2")), then=answers)
    def the_cpo_reserves(self, at: tuple[str, str | None], minutes: int, type_: str | None, then: str) -> None:
        """An EVSE, any with a type of connector, or any."""
        until = self.house.now + timedelta(minutes=minutes)
        wanted = reserving.Wanted(
            location_id=at[0],
            evse_uid=at[1] if type_ is None else None,
            connector_type=type_,
            token="APP-USER-1",
            until=until,
        )
        try:
            made = self.house.run(reserving.make, wanted, self.indoors.rules, self.indoors.online, self.house.now)
        except reserving.Impossible:
            return
        self.house.ring("dispatch", [made])
        self._served(then)

    @rule(which=number, then=answers)
    def the_cpo_cancels(self, which: int, then: str) -> None:
        held = picked([row for row in self.indoors.rows("reservation") if row["state"] in LIVE], which)
        if held is None:
            return
        try:
            made = self.house.run(reserving.cancel, held["number"], "Road works", self.indoors.rules, self.house.now)
        except reserving.Impossible:
            return
        self.house.ring("dispatch", [made])
        self._served(then)

    @rule(which=number, anew=yes_or_no)
    def the_cpo_credits(self, which: int, anew: bool) -> None:
        """A CDR is taken back whole, once, and perhaps made anew."""
        cdr = picked(self.indoors.rows("cdr"), which)
        if cdr is None:
            return
        known = self.indoors.rows("cdr")
        may = cdr["credits"] is None and cdr["id"] not in {row["credits"] for row in known}
        try:
            made = self.house.run(cdrs.credit, cdr["id"], "By mistake", self.house.now)
        except cdrs.NotPossible:
            assert not may
            return
        assert may
        [taken_back] = self.indoors.rows("cdr", id=made)
        for vat in ("excl_vat", "incl_vat"):
            assert exact(taken_back["body"]["total_cost"][vat]) == -exact(cdr["body"]["total_cost"][vat])
        if anew:
            again = self.house.run(cdrs.replace, cdr["id"], self.house.now)
            assert again is not None
            self._is_the_same(cdr["body"], self.indoors.rows("cdr", id=again)[0]["body"])

    def _is_the_same(self, before: dict[str, Any], again: dict[str, Any]) -> None:
        """Nothing that it is made from has changed, whatever was told since."""
        for name in ("total_energy", "total_time", "total_cost", "cdr_location", "cdr_token", "charging_periods"):
            assert again.get(name) == before.get(name), name

    # How stations answer

    def _served(self, then: str) -> None:
        for one in self.house.stations.values() if then != "later" else ():
            while (asked := one.asked or self.house.claim(one)) is not None:
                self._answers(one, asked, then, 0)
                if then in MUTE:
                    break

    @rule(at=station, how=answers, what=number)
    def a_station_answers(self, at: str, how: str, what: int) -> None:
        """Its next order, or that of the next one that has any; ``what``: which refusal, and what it did unheard."""
        names = list(STATIONS)
        first = names.index(at)
        for one in (self.house.stations[name] for name in names[first:] + names[:first]):
            if (asked := one.asked or self.house.claim(one)) is not None:
                self._answers(one, asked, how, what)
                return

    def _answers(self, one: Station, asked: Any, how: str, what: int) -> None:
        for token in (getattr(asked.order, "id_token", None), getattr(asked.order, "group", None)):
            if token is not None and token not in one.tokens:
                one.tokens.append(token)
        if one.says is None:  # it decides once, however late it says so
            one.says = self._truth(one, asked.order) if how in DOES else self._refused(one, asked.order, how, what)
        if how not in MUTE:
            self.house.answer(one, Answer(ending=Ending.BAD_RESULT) if how == "babbles" else one.says)

    def _refused(self, one: Station, order: Any, how: str, what: int) -> Answer:
        if how == "fails":
            return Answer(ending=Ending.CALL_ERROR, status=("NotSupported", "InternalError")[what % 2])
        if isinstance(order, ReserveNow):
            if what >= len(REFUSALS):  # it drops what it was to replace
                one.held.pop(order.number, None)
            return Answer(ending=Ending.RESULT, status=REFUSALS[what % len(REFUSALS)])
        if isinstance(order, RequestStart | RequestStop):
            return Answer(ending=Ending.RESULT, status="Rejected")
        return self._truth(one, order)

    def _truth(self, one: Station, order: Any) -> Answer:
        running = {charge.id: charge for charge in one.charges}
        if isinstance(order, AskTransaction):
            charge = running.get(order.transaction_id)
            waiting = charge is not None and bool(charge.outbox)
            going_on = charge is not None and not charge.ended
            return Answer(ending=Ending.RESULT, status="Accepted", ongoing=going_on, messages_in_queue=waiting)
        if isinstance(order, RequestStop):
            charge = running.get(order.transaction_id)
            if charge is None or charge.ended:
                return Answer(ending=Ending.RESULT, status="Rejected")
            self._end(one, charge)
        return done(one, order)

    @precondition(lambda self: any(one.unanswered for one in self.house.stations.values()))
    @rule(which=number)
    def a_station_answers_late(self, which: int) -> None:
        stations = self.house.stations.values()
        one, (asked, answer) = picked([(one, call) for one in stations for call in one.unanswered], which)
        self.house.answer_late(one, asked, answer)

    # What stations tell

    @rule(at=station, spot=st.integers(1, 2), which=number, expected=mostly, told=mostly,
          says=st.sampled_from(("right", "right", "none", "another", "nonsense")), cable_first=yes_or_no,
          there=mostly)  # fmt: skip
    def a_charge_begins(
        self, at: str, spot: int, which: int, expected: bool, told: bool, says: str, cable_first: bool, there: bool
    ) -> None:
        """Of somebody who reserved or asked to start, if there is any; or of anybody, anywhere.

        ``there``: where it was asked for, and not at another EVSE (2.x, where the start's number tells).
        """
        waiting = [(one, order) for one in self.house.stations.values() for order in one.expected()]
        one, started = self.house.stations[at], None
        if waiting and expected:
            one, order = picked(waiting, which)
            started = order if isinstance(order, RequestStart) else None
            moved = started is not None and not there and not one.is_1
            spot, card = spot if moved else one.spot_of(order) or spot, order.id_token
        else:
            card = picked(one.tokens, which)
        if spot > one.spots or one.running(spot) is not None or one.kept_from(spot, card):
            return
        if started is not None:
            one.starts.remove(started)
        used = one.meant(spot, card)
        reservation = self._said(used, says)
        if used is not None:
            del one.held[used]
        charge = Charge(spot, card, None if one.is_1 else f"TX-{len(one.charges)}")
        one.charges.append(charge)
        driver = {
            "id_token": card,
            "reservation": reservation,
            "remote_start_id": started.remote_start_id if started is not None and not one.is_1 else None,
        }
        if cable_first and not one.is_1:
            self._happens(one, charge, Phase.STARTED, **one.place(spot))
            self._happens(one, charge, Phase.UPDATED, **driver)
        else:
            self._happens(one, charge, Phase.STARTED, **one.place(spot), **driver)
        if told:
            self._tells_all(one, charge)

    def _said(self, used: int | None, says: str) -> int | None:
        if says == "another":
            others = [row["number"] for row in self.indoors.rows("reservation") if row["number"] != used]
            return others[-1] if others else None
        return {"right": used, "none": None}.get(says, 999_999)

    @precondition(lambda self: any(not charge.ended for _, charge in self.house.charges()))
    @rule(which=number, wh=st.sampled_from((2500, 0, 1)), told=mostly)
    def a_charge_goes_on(self, which: int, wh: int, told: bool) -> None:
        one, charge = picked([(one, charge) for one, charge in self.house.charges() if not charge.ended], which)
        one.meter += wh
        self._happens(one, charge, Phase.UPDATED)
        if told:
            self._tells_all(one, charge)

    @precondition(lambda self: any(not charge.ended for _, charge in self.house.charges()))
    @rule(which=number, wh=st.sampled_from((2500, 0, 1)), told=mostly)
    def a_charge_ends(self, which: int, wh: int, told: bool) -> None:
        one, charge = picked([(one, charge) for one, charge in self.house.charges() if not charge.ended], which)
        one.meter += wh
        self._end(one, charge)
        if told:
            self._tells_all(one, charge)

    @precondition(lambda self: any(charge.outbox for _, charge in self.house.charges()))
    @rule(which=number, place=number, again=yes_or_no, waited=st.sampled_from((0, 0, 3)))
    def a_station_tells_what_it_kept(self, which: int, place: int, again: bool, waited: int) -> None:
        """2.x in any order; ``again``: it hears no answer, and will repeat it."""
        one, charge = picked([(one, charge) for one, charge in self.house.charges() if charge.outbox], which)
        if not one.online:
            return
        place = 0 if one.is_1 else place % len(charge.outbox)
        event = charge.outbox[place] if again else charge.outbox.pop(place)
        self.house.tell(one, charge, event, waited)
        assert len(charge.ids) <= 1

    @rule(at=station, spot=st.integers(0, 2), status=st.sampled_from(STATUSES))
    def a_status_changes(self, at: str, spot: int, status: str) -> None:
        one = self.house.stations[at]
        if not one.online or spot > one.spots or not (spot or one.is_1):
            return
        if one.is_1 and (status in {"Faulted", "Unavailable"} or (status == "Available" and spot)):
            one.held = {n: order for n, order in one.held.items() if spot and one.spot_of(order) != spot}
        self.house.tell_status(one, spot, status)

    @rule(at=station, which=number, truly=yes_or_no, update=st.sampled_from(("Expired", "Removed", "NoTransaction")))
    def a_reservation_ends_at_its_station(self, at: str, which: int, truly: bool, update: str) -> None:
        one = self.house.stations[at]
        numbers = [*one.held] if truly else [row["number"] for row in self.indoors.rows("reservation")]
        said = picked(numbers, which)
        if said is None or one.is_1 or not one.online:
            return
        one.held.pop(said, None)
        self.house.tell_ended(one, said, update)

    # What happens to the gateway

    @rule(seconds=st.sampled_from((1, 5, 5, 21, 31, 31, 160, 900, 900, 4000, 90_000)), swept=mostly)
    def time_passes(self, seconds: int, swept: bool) -> None:
        self.indoors.pass_(seconds=seconds)
        if swept:
            self.house.sweep()

    @rule(at=station, what=st.sampled_from(("boots", "forgets", "comes or goes")))
    def a_socket_is_lost(self, at: str, what: str) -> None:
        one = self.house.stations[at]
        if what == "forgets" and one.is_1:
            one.held.clear()
        if what == "comes or goes":
            (self.house.disconnect if one.online else self.house.connect)(one)
        else:
            self.house.boot(one)

    @rule(what=st.sampled_from(("awake", "asleep", "lost", "deaf", "restarted", "awake")))
    def the_workers_are(self, what: str) -> None:
        if what == "restarted":
            self.house.restart()
            self.house.sweep()
            return
        self.house.workers = what
        self.house.ring("dispatch", [])

    # What is always so

    @invariant()
    def what_was_promised_holds(self) -> None:
        now = {
            table: {row["id"]: row for row in self.indoors.rows(table)}
            for table in ("reservation", "session", "command", "callback", "cdr")
        }
        self._numbers(now)
        self._isolation(now)
        self._what_stations_hold(now)
        self._what_partners_see()
        self._lifecycles()
        self._what_is_final_stays(now)
        self._results(now)
        self._sessions(now)
        self._prices(now)
        for row in now["cdr"].values():
            adds_up(row["body"])
            session = now["session"][row["session"]]
            assert session["state"] == "COMPLETED"
            assert exact(row["body"]["total_energy"]) == session["kwh"]
        self.before = now

    def _numbers(self, now: dict[str, dict[int, dict[str, Any]]]) -> None:
        live = [(row["number"], row["station"]) for row in now["reservation"].values() if row["state"] in LIVE]
        assert len(set(live)) == len(live)
        for row in now["reservation"].values():
            key = (row["partner"], row["party_key"], row["reservation_key"])
            assert self.owners.setdefault(row["number"], key) == key

    def _what_partners_see(self) -> None:
        """Every EVSE is shown as it is: nothing has happened at a station that was not followed."""
        shown = [(row["evse_uid"], row["status"], row["offered"]) for row in self.indoors.rows("evse")]
        for one in self.house.stations.values():
            self.indoors.run(evses.follow, one.name, self.house.now)
            self.indoors.run(evses.learned, one.name, self.house.now)
        assert shown == [(row["evse_uid"], row["status"], row["offered"]) for row in self.indoors.rows("evse")]

    def _what_stations_hold(self, now: dict[str, dict[int, dict[str, Any]]]) -> None:
        """Nothing is forgotten that may keep an EVSE from others (P5); nor what a charge has used up elsewhere."""
        asked = {row["reservation"] for row in now["command"].values() if row["state"] != "CONCLUDED"}
        rows = {(row["station"], row["number"]): row for row in now["reservation"].values()}
        for one in self.house.stations.values():
            for number, order in one.held.items():
                row = rows[one.name, number]
                known = row["state"] in LIVE or row["id"] in asked or row["state"] == "USED"
                assert known or order.expiry <= self.house.now, f"{one.name} holds {number}, which is {row['state']}"

    def _isolation(self, now: dict[str, dict[int, dict[str, Any]]]) -> None:
        for row in now["command"].values():
            order, held = row["order"] or {}, now["reservation"].get(row["reservation"])
            mine = (row["partner"], Party(row["from_country"], row["from_party"]).key)
            if held is not None:
                assert row["partner"] is None or mine == (held["partner"], held["party_key"])
                assert (row["station"], order["number"]) == (held["station"], held["number"])
            session = now["session"].get(row["session"])
            if session is not None:
                assert row["partner"] is None or mine == owner(session)
                assert row["station"] == session["station"]
                assert order.get("transaction_id") in {None, session["transaction_id"]}
        for session in now["session"].values():
            held = now["reservation"].get(session["reservation"])
            if held is not None and held["partner"] is not None and session["partner"] is not None:
                assert owner(session) == (held["partner"], held["party_key"])

    def _lifecycles(self) -> None:
        with self.indoors.db() as db:
            changes = db.exec_driver_sql("SELECT id, what, of, old, new FROM state_change ORDER BY id").all()
        for _, what, of, old, new in changes:
            assert new in LIFECYCLES[what][old], f"{what} {of}: {old} became {new}"  # type: ignore[index]

    def _what_is_final_stays(self, now: dict[str, dict[int, dict[str, Any]]]) -> None:
        for key, row in self.before.get("cdr", {}).items():
            assert now["cdr"][key] == row
        for key, row in self.before.get("session", {}).items():
            if row["state"] in FINAL:
                assert now["session"][key] == row
            elif key in now["session"]:
                assert now["session"][key]["kwh"] >= row["kwh"]
                assert now["session"][key]["last_updated"] >= row["last_updated"]
            else:  # it was taken over by the Session that had waited for it
                assert row["partner"] is None

    def _results(self, now: dict[str, dict[int, dict[str, Any]]]) -> None:
        told: dict[int, list[dict[str, Any]]] = {}
        for row in now["callback"].values():
            told.setdefault(row["command"], []).append(row)
        for key, row in now["command"].items():
            results = [each["result"] for each in told.get(key, [])]
            concluded = row["partner"] is not None and row["response"] == "ACCEPTED" and row["state"] == "CONCLUDED"
            assert results[:1] == ([row["result"]] if concluded else [])
            assert not results[1:] or (results == ["ACCEPTED", "CANCELED_RESERVATION"] and row["type"] == "RESERVE_NOW")
        firsts = {rows[0]["command"] for rows in told.values()}
        for posted in self.house.posted:
            if posted.command in firsts and posted.result != "CANCELED_RESERVATION":
                firsts.remove(posted.command)  # it is posted once
                assert posted.at < now["command"][posted.command]["promised_until"]

    def _sessions(self, now: dict[str, dict[int, dict[str, Any]]]) -> None:
        live = [row["reservation"] for row in now["session"].values() if row["reservation"] and unfinished(row)]
        assert len(set(live)) == len(live)
        running = [(row["station"], row["transaction_id"]) for row in now["session"].values() if row["transaction_id"]]
        assert len(set(running)) == len(running)
        for row in now["session"].values():
            assert row["kwh"] >= 0
            assert row["end_date_time"] is None or row["end_date_time"] >= row["start_date_time"] or unfinished(row)

    def _prices(self, now: dict[str, dict[int, dict[str, Any]]]) -> None:
        """A charge is billed where it was, at what is asked there; or what was asked anywhere, if it began so."""
        self.anywhere |= {key for key, row in now["session"].items() if row["evse_uid"] == NOT_AVAILABLE}
        at = {(charge.id, one.name): (one, charge) for one, charge in self.house.charges()}
        for key in now["cdr"].keys() - self.before.get("cdr", {}).keys():
            cdr = now["cdr"][key]
            session = now["session"][cdr["session"]]
            one, charge = at.get((session["transaction_id"], session["station"]), (None, None))
            if one is None or any(event.phase is Phase.STARTED for event in charge.outbox):
                continue
            place = cdr["body"]["cdr_location"]
            spot = (one.name, charge.spot)
            assert LOCATIONS[place["id"]][place["evse_uid"]] == spot
            asked = TARIFFS[place["id"]][place["evse_uid"]]
            told = [each["id"] for each in cdr["body"].get("tariffs", [])]
            assert told == asked[:1] or (cdr["session"] in self.anywhere and told and told[0] in asked)

    # How it ends

    def teardown(self) -> None:
        if sys.exc_info()[0] is not None:  # what failed before is what is to be seen
            return
        self.house.restart()
        for one in self.house.stations.values():
            for charge in one.charges:
                self._end(one, charge)
                self._tells_all(one, charge)
        for seconds in (1, 21, 31, 31, 1000, 7200, 100_000, 100_000, 31, 31):
            self.indoors.pass_(seconds=seconds)
            self.house.sweep()
            self.what_was_promised_holds()
        self._all_is_over()

    def _all_is_over(self) -> None:
        rows = {table: self.indoors.rows(table) for table in ("reservation", "session", "command", "callback", "cdr")}
        assert {row["state"] for row in rows["command"]} <= {"CONCLUDED"}
        assert not [row for row in rows["reservation"] if row["state"] in LIVE]
        assert not [row for row in rows["session"] if row["state"] not in FINAL]
        assert not [row for row in rows["callback"] if row["state"] == "DUE"]
        told = {row["command"] for row in rows["callback"]}
        accepted = [row["id"] for row in rows["command"] if row["partner"] and row["response"] == "ACCEPTED"]
        assert told == set(accepted)
        standing = [row["session"] for row in rows["cdr"] if row["credits"] is None]
        standing = [session for session in standing if session not in credited(rows["cdr"])]
        charged = [row["id"] for row in rows["session"] if row["partner"] and row["transaction_id"]]
        assert len(set(standing)) == len(standing)
        assert set(charged) <= {*standing, *credited(rows["cdr"])}

    # The small things

    def _token(self, party: Party, which: int) -> dict[str, Any]:
        """The same uids whoever's they are: a card, an app user, a friend's card; the last two in a group."""
        uid, type_, group = [
            (CARD.value, "RFID", None),
            ("APP-USER-1", "APP_USER", None),
            (FRIEND.value, "RFID", "G-1"),
            ("APP-USER-2", "APP_USER", "G-1"),
        ][which % 4]
        return token_body(party, uid, type_) | ({"group_id": group} if group else {})

    def _happens(self, one: Station, charge: Charge, phase: Phase, **more: Any) -> None:
        event = TransactionChanged(
            phase=phase,
            transaction_id=charge.id,
            at=self.house.now,
            seq=None if one.is_1 else charge.seq,
            readings=reading(self.house.now, one.meter),
            **more,
        )
        charge.seq += 1
        charge.outbox.append(event)

    def _end(self, one: Station, charge: Charge) -> None:
        if not charge.ended:
            charge.ended = True
            self._happens(one, charge, Phase.ENDED)

    def _tells_all(self, one: Station, charge: Charge) -> None:
        while charge.outbox and one.online:
            self.house.tell(one, charge, charge.outbox.pop(0))


def picked(ones: Any, which: int) -> Any:
    return ones[which % len(ones)] if ones else None


def owner(session: dict[str, Any]) -> tuple[int | None, str]:
    return session["partner"], Party(session["from_country"], session["from_party"]).key


def unfinished(session: dict[str, Any]) -> bool:
    return session["state"] in UNFINISHED


def credited(cdrs: list[dict[str, Any]]) -> set[int]:
    taken_back = {row["credits"] for row in cdrs}
    return {row["session"] for row in cdrs if row["id"] in taken_back}


def adds_up(cdr: dict[str, Any]) -> None:
    """mod_cdrs §CDR: the totals are the sums of the partial costs, and of the periods' volumes."""
    parts = ("fixed", "energy", "time", "parking", "reservation")
    costs = [cdr[f"total_{part}_cost"] for part in parts if cdr.get(f"total_{part}_cost")]
    sign = -1 if cdr.get("credit") else 1
    for vat in ("excl_vat", "incl_vat"):
        assert exact(cdr["total_cost"][vat]) == sign * sum(exact(cost[vat]) for cost in costs)
    volumes: dict[str, Decimal] = {}
    for period in cdr["charging_periods"]:
        for each in period["dimensions"]:
            volumes[each["type"]] = volumes.get(each["type"], Decimal(0)) + exact(each["volume"])
            assert exact(each["volume"]) >= 0
    assert exact(cdr["total_energy"]) == volumes.get("ENERGY", 0)
    assert exact(cdr["total_time"]) == volumes.get("TIME", 0) + volumes.get("PARKING_TIME", 0)
    assert exact(cdr.get("total_parking_time") or 0) == volumes.get("PARKING_TIME", 0)


def exact(number: Any) -> Decimal:
    return Decimal(str(number))


BOUNDED = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    # Without shrinking, which takes minutes on a real database; a seed repeats what was found.
    phases=(Stage.explicit, Stage.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(7200)
def test_what_was_promised_holds_whatever_happens(anywhere: Indoors) -> None:
    anywhere.run(watch)
    deep = settings.get_current_profile_name() == DEEP
    fewer = settings(BOUNDED, max_examples=10) if anywhere.engine.dialect.name == "postgresql" else BOUNDED
    run_state_machine_as_test(lambda: Life(anywhere), settings=settings.get_profile(DEEP) if deep else fewer)
