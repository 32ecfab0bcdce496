"""What a station is told of a token without asking anybody: commands, reservations, charges and whitelists."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from gateway import authorization, charging, whitelists
from gateway.domain import whitelist
from gateway.domain.parties import Partner
from gateway.domain.whitelist import Verdict
from gateway.store import endpoints, partners, rows, tokens
from gateway.whitelists import ANYWHERE, Decision, Grant
from ocpi.headers import Party
from ocpi.sessions import AuthMethod
from ocpi.tokens import Token
from ocpp_bridge.events import Phase, TransactionChanged
from ocpp_bridge.orders import IdToken
from tests.support.indoors import START, Indoors, token_body
from tests.support.tokens_module import offer

CARD = IdToken(value="04AABBCC", type="ISO14443")
ONE, TWO = Party("DE", "ONE"), Party("DE", "TWO")
URL = "https://emsp.example/tokens"


def card(party: Party = ONE, **changes) -> dict:
    return token_body(party, CARD.value, "RFID", **changes)


def store(indoors: Indoors, partner: Partner, **changes) -> Token:
    """The eMSP tells us of its card."""
    one = Token.model_validate(card(partner.party, **changes))
    assert indoors.run(tokens.put_token, partner.id, one)
    return one


def decide(indoors: Indoors, station: str, token: IdToken = CARD) -> Decision:
    return indoors.run(whitelists.decide, station, token, ANYWHERE, indoors.now)


def known(indoors: Indoors, station: str, token: IdToken = CARD) -> str:
    """What is told at once; the empty text: somebody has to be looked up or asked."""
    status = decide(indoors, station, token).status
    return status.status if status is not None else ""


def tell(indoors: Indoors, station: str, phase: Phase, transaction: str | None = "TX", **changes) -> charging.Noted:
    event = TransactionChanged(phase=phase, transaction_id=transaction, at=indoors.now, **changes)
    return indoors.run(charging.transaction, station, event, indoors.rules, indoors.now)


@pytest.mark.parametrize(
    ("listed", "valid", "verdict"),
    [
        ("ALWAYS", True, Verdict(ask=False, allowed=True)),
        ("ALWAYS", False, Verdict(ask=False, allowed=False)),
        ("ALLOWED", True, Verdict(ask=False, allowed=True)),
        ("ALLOWED", False, Verdict(ask=True, allowed=False)),
        ("ALLOWED_OFFLINE", True, Verdict(ask=True, allowed=True)),
        ("ALLOWED_OFFLINE", False, Verdict(ask=True, allowed=False)),
        ("NEVER", True, Verdict(ask=True, allowed=False)),
        ("NEVER", False, Verdict(ask=True, allowed=False)),
    ],
)
def test_each_whitelist_type_says_whether_to_ask_and_what_counts_without(listed, valid, verdict) -> None:
    assert whitelist.judge(Token.model_validate(card(whitelist=listed, valid=valid))) == verdict


# The stored tokens


def test_an_older_word_on_a_token_changes_nothing(anywhere: Indoors) -> None:
    partner = anywhere.partner()
    store(anywhere, partner, last_updated="2026-02-02T00:00:00Z", valid=False)
    old = Token.model_validate(card(last_updated="2026-02-01T00:00:00Z"))
    assert not anywhere.run(tokens.put_token, partner.id, old)
    [row] = anywhere.run(tokens.find_tokens, "04aabbcc", "RFID")
    assert row["body"]["valid"] is False


def test_two_emsps_may_have_the_same_card_and_neither_sees_the_other_s(anywhere: Indoors) -> None:
    one, two = anywhere.partner(), anywhere.partner(TWO)
    store(anywhere, one, whitelist="ALWAYS")
    store(anywhere, two)
    assert [row["partner"] for row in anywhere.run(tokens.find_tokens, CARD.value, "RFID")] == [one.id, two.id]
    assert anywhere.run(tokens.find_token, two.id, TWO, "04aabbcc", "RFID")["body"]["whitelist"] == "NEVER"
    assert anywhere.run(tokens.find_token, two.id, ONE, "04aabbcc", "RFID") is None


def test_a_stored_token_has_a_word_and_a_stranger_s_card_has_none(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    assert known(indoors, station) == "Invalid"
    store(indoors, partner, whitelist="ALWAYS")
    [candidate] = decide(indoors, station).candidates
    assert (candidate.partner.id, candidate.verdict) == (partner.id, Verdict(ask=False, allowed=True))
    site = decide(indoors, station).site
    assert (site.location.wire(), site.cpo) == ({"location_id": location, "evse_uids": ["E1"]}, indoors.cpo.id)


@pytest.mark.parametrize("type", ["KeyCode", "MacAddress", "Local", "NoAuthorization", "eMAID"])
def test_what_is_typed_or_told_by_a_car_is_no_card(indoors: Indoors, type: str) -> None:
    partner, (_, station) = indoors.partner(), indoors.one_evse("ocpp2.0.1")
    store(indoors, partner, whitelist="ALWAYS")
    assert known(indoors, station, IdToken(value=CARD.value, type=type)) == "Invalid"


def test_a_contract_of_a_car_is_a_token_of_type_other(indoors: Indoors) -> None:
    partner, (_, station) = indoors.partner(), indoors.one_evse("ocpp2.0.1")
    contract = Token.model_validate(token_body(ONE, "DEABCC12345678", "OTHER", whitelist="ALWAYS"))
    indoors.run(tokens.put_token, partner.id, contract)
    [candidate] = decide(indoors, station, IdToken(value="deabcc12345678", type="eMAID")).candidates
    assert candidate.token == contract


@pytest.mark.parametrize("state", ["SUSPENDED", "REMOVED"])
def test_the_cards_of_a_connection_that_is_not_active_are_nobody_s(indoors: Indoors, state: str) -> None:
    partner, (_, station) = indoors.partner(), indoors.one_evse()
    store(indoors, partner, whitelist="ALWAYS")
    indoors.run(offer, partner.id, URL, strangers=True)
    indoors.run(partners.become, partner.id, state)
    assert known(indoors, station) == "Invalid"


# Strangers' cards


def test_of_a_stranger_s_card_those_are_asked_who_wish_it_and_can_be(indoors: Indoors) -> None:
    wishing, silent, unable = indoors.partner(), indoors.partner(TWO), indoors.partner(Party("DE", "TRE"))
    indoors.run(offer, wishing.id, URL, strangers=True)
    indoors.run(offer, silent.id, URL)
    indoors.run(offer, unable.id, None, strangers=True)
    [candidate] = decide(indoors, indoors.one_evse()[1]).candidates
    assert (candidate.partner.id, candidate.party, candidate.uid, candidate.url) == (wishing.id, ONE, CARD.value, URL)
    assert indoors.run(endpoints.find, silent.id, "tokens", "RECEIVER") is None


def test_a_hub_finds_out_whose_card_it_is(indoors: Indoors) -> None:
    hub = indoors.partner(Party("DE", "HUB"), role="HUB")
    indoors.run(offer, hub.id, URL, strangers=True)
    [candidate] = decide(indoors, indoors.one_evse()[1]).candidates
    assert (candidate.partner.id, candidate.party) == (hub.id, None)


@pytest.mark.parametrize("uid", [".", "..", "", "x" * 37, "04\x00", "04é"])
def test_what_cannot_be_a_uid_is_asked_about_nowhere(indoors: Indoors, uid: str) -> None:
    partner, (_, station) = indoors.partner(), indoors.one_evse()
    indoors.run(offer, partner.id, URL, strangers=True)
    assert known(indoors, station, IdToken(value=uid)) == "Invalid"


def test_of_a_card_that_somebody_told_us_of_no_stranger_is_asked(indoors: Indoors) -> None:
    one, two, (_, station) = indoors.partner(), indoors.partner(TWO), indoors.one_evse()
    indoors.run(offer, two.id, URL, strangers=True)
    store(indoors, one)
    assert [candidate.partner.id for candidate in decide(indoors, station).candidates] == [one.id]


# What commands bring


def test_a_command_s_card_is_sure_for_a_quarter_of_an_hour_whatever_is_stored(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    store(indoors, partner, valid=False, whitelist="ALWAYS")
    indoors.start(partner, location, token=card())
    indoors.pass_(minutes=14, seconds=59)
    assert known(indoors, station) == "Accepted"
    indoors.pass_(seconds=1)
    [candidate] = decide(indoors, station).candidates
    assert candidate.verdict == Verdict(ask=False, allowed=False)


def test_a_second_command_opens_the_window_again(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    for _ in range(2):
        indoors.start(partner, location, token=card())
        indoors.pass_(minutes=14)
    assert known(indoors, station) == "Accepted"


def test_after_its_window_a_command_s_card_is_asked_about_though_it_is_not_stored(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.start(partner, location, token=card())
    indoors.pass_(minutes=15)
    [candidate] = decide(indoors, station).candidates
    assert (candidate.partner.id, candidate.held, candidate.verdict.ask) == (partner.id, None, True)


@pytest.mark.parametrize("type", ["APP_USER", "AD_HOC_USER"])
def test_a_command_s_app_user_is_sure_for_good(indoors: Indoors, type: str) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.start(partner, location, token=token_body(ONE, "some-uuid", type))
    token = indoors.claim(station).order.id_token
    indoors.pass_(days=400)
    assert known(indoors, station, token) == "Accepted"


def test_a_reservation_that_outlasts_the_window_is_remembered_beside_the_whitelist(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location, token=card())
    indoors.next(station)
    indoors.pass_(minutes=40)
    [candidate] = decide(indoors, station).candidates
    assert candidate.held["partner"] == partner.id
    assert candidate.verdict.ask
    assert indoors.run(authorization.authorize, station, CARD, indoors.now).status == "Accepted"


def test_the_card_of_a_charge_that_runs_is_not_judged_again_and_the_next_charge_s_is(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse("ocpp2.0.1")
    indoors.start(partner, location, token=card())
    indoors.next(station)
    tell(indoors, station, Phase.STARTED, seq=0, evse=1, connector=1, id_token=CARD)
    indoors.pass_(hours=3)
    assert known(indoors, station) == "Accepted"
    tell(indoors, station, Phase.ENDED, seq=1, trigger="StopAuthorized")
    assert known(indoors, station) == ""


# What was found good


def granted(indoors: Indoors, station: str, how: AuthMethod, token: Token, minutes: float = 5, **more) -> None:
    decision = decide(indoors, station)
    until = indoors.now + timedelta(minutes=minutes)
    given = Grant(who=decision.candidates[0], token=token, how=how, until=until, **more)
    indoors.run(whitelists.grant, station, CARD, given, decision.site, indoors.rules, indoors.now)


def test_an_emsp_s_word_is_good_for_a_while(indoors: Indoors) -> None:
    partner, (_, station) = indoors.partner(), indoors.one_evse()
    granted(indoors, station, AuthMethod.AUTH_REQUEST, store(indoors, partner))
    assert known(indoors, station) == "Accepted"
    indoors.pass_(minutes=5)
    assert known(indoors, station) == ""


def test_a_listed_card_is_looked_up_each_time(indoors: Indoors) -> None:
    partner, (_, station) = indoors.partner(), indoors.one_evse()
    granted(indoors, station, AuthMethod.WHITELIST, store(indoors, partner, whitelist="ALWAYS"))
    store(indoors, partner, whitelist="ALWAYS", valid=False, last_updated="2026-03-01T00:00:00Z")
    [candidate] = decide(indoors, station).candidates
    assert not candidate.verdict.allowed
    [row] = indoors.run(authorization.permissions, station, CARD.value, indoors.now)
    assert (row["auth_method"], row["command"], row["cpo"]) == ("WHITELIST", None, indoors.cpo.id)


def test_what_is_found_good_replaces_no_command_within_its_window(anywhere: Indoors) -> None:
    partner, (location, station) = anywhere.partner(), anywhere.one_evse()
    token = store(anywhere, partner, whitelist="ALWAYS")
    decision = decide(anywhere, station)
    anywhere.start(partner, location, token=card(), authorization_reference="REF")  # while the eMSP was being asked
    until = anywhere.now + timedelta(minutes=5)
    given = Grant(who=decision.candidates[0], token=token, how=AuthMethod.AUTH_REQUEST, reference="NEW", until=until)
    anywhere.run(whitelists.grant, station, CARD, given, decision.site, anywhere.rules, anywhere.now)
    [row] = anywhere.rows("authorization")
    assert (row["auth_method"], row["authorization_reference"]) == ("COMMAND", "REF")
    anywhere.pass_(minutes=15)
    given = Grant(who=decision.candidates[0], token=token, how=AuthMethod.AUTH_REQUEST, reference="NEW", until=until)
    anywhere.run(whitelists.grant, station, CARD, given, decision.site, anywhere.rules, anywhere.now)
    [row] = anywhere.rows("authorization")
    assert (row["auth_method"], row["authorization_reference"], row["command"]) == ("AUTH_REQUEST", "NEW", None)
    anywhere.start(partner, location, token=card())
    [row] = anywhere.rows("authorization")
    assert (row["auth_method"], row["authorization_reference"], row["command"]) == ("COMMAND", None, 2)


def test_a_command_comes_before_what_was_found_good(anywhere: Indoors) -> None:
    one, two, (location, station) = anywhere.partner(), anywhere.partner(TWO), anywhere.one_evse()
    granted(anywhere, station, AuthMethod.AUTH_REQUEST, store(anywhere, two))
    anywhere.start(one, location, token=card())
    found = anywhere.run(authorization.permissions, station, CARD.value, anywhere.now)
    assert [row["partner"] for row in found] == [one.id, two.id]


def test_a_reservation_s_reference_stays_until_the_emsp_gives_another(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location, token=card(), authorization_reference="REF")
    indoors.next(station)
    token = store(indoors, partner)
    for given, expected in ((None, "REF"), ("LAST", "LAST")):
        indoors.pass_(minutes=20)
        granted(indoors, station, AuthMethod.AUTH_REQUEST, token, reference=given)
        [row] = indoors.rows("authorization")
        assert (row["authorization_reference"], row["command"]) == (expected, 1)


# Groups


def test_every_card_of_a_group_tells_the_same_group_as_the_reservation(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location, token=token_body(ONE, "04112233", "RFID", group_id="Fleet"))
    order = indoors.next(station).order
    granted(indoors, station, AuthMethod.WHITELIST, store(indoors, partner, whitelist="ALWAYS", group_id="FLEET"))
    assert indoors.run(authorization.authorize, station, CARD, indoors.now).group == order.group


def test_the_same_group_of_another_emsp_is_another_group(indoors: Indoors) -> None:
    one, two, (location, station) = indoors.partner(), indoors.partner(TWO), indoors.one_evse()
    indoors.reserve(one, location, token=token_body(ONE, "04112233", "RFID", group_id="Fleet"))
    order = indoors.next(station).order
    granted(indoors, station, AuthMethod.WHITELIST, store(indoors, two, whitelist="ALWAYS", group_id="Fleet"))
    assert indoors.run(authorization.authorize, station, CARD, indoors.now).group not in (None, order.group)


# The end of a charge


def may_end(indoors: Indoors, station: str, token: IdToken) -> str:
    event = TransactionChanged(phase=Phase.ENDED, transaction_id="TX", at=indoors.now, seq=9, id_token=token)
    return indoors.run(authorization.may_end, station, event, indoors.now).status


def test_a_charge_is_ended_by_its_card_or_one_of_the_group_and_nobody_is_asked(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse("ocpp2.0.1")
    began = IdToken(value="04112233", type="ISO14443")
    indoors.start(partner, location, token=token_body(ONE, began.value, "RFID", group_id="Fleet"))
    indoors.next(station)
    granted(indoors, station, AuthMethod.WHITELIST, store(indoors, partner, whitelist="ALWAYS", group_id="Fleet"))
    tell(indoors, station, Phase.STARTED, seq=0, evse=1, connector=1, id_token=began)
    indoors.pass_(hours=3)
    assert [may_end(indoors, station, one) for one in (began, CARD)] == ["Accepted", "Accepted"]
    tell(indoors, station, Phase.ENDED, seq=1)
    assert [may_end(indoors, station, one) for one in (began, CARD)] == ["Accepted", "Accepted"]
    assert may_end(indoors, station, IdToken(value="04FFFFFF", type="ISO14443")) == "Invalid"


# The CPO's own reservations


def own_reservation(indoors: Indoors, station: str, **changes) -> int:
    location = indoors.rows("location")[0]["id"]
    row = {
        "number": 4711,
        "party_key": indoors.cpo.party.key,
        "reservation_id": "OWN-1",
        "reservation_key": "own-1",
        "location": location,
        "station": station,
        "id_token": CARD.value,
        "id_token_type": CARD.type,
        "expiry_date": START + timedelta(hours=1),
        "state": "ACTIVE",
        "superseded": False,
        "created_at": START,
        "updated_at": START,
    } | changes
    with indoors.db() as db:
        return db.execute(insert(rows.reservation).values(**row).returning(rows.reservation.c.id)).scalar_one()


def test_the_cpo_s_own_reservation_needs_no_emsp(indoors: Indoors) -> None:
    partner, (_, station) = indoors.partner(), indoors.one_evse("ocpp2.0.1")
    indoors.run(offer, partner.id, URL, strangers=True)
    own_reservation(indoors, station, group_id_token="OUR-GROUP", group_id_token_type="Central")
    status = decide(indoors, station, IdToken(value="04aabbcc", type="ISO14443")).status
    assert (status.status, status.group) == ("Accepted", IdToken(value="OUR-GROUP"))
    assert known(indoors, station, IdToken(value="OUR-GROUP")) == "Accepted"


def test_the_charge_that_the_cpo_s_own_reservation_became_is_not_judged_again(indoors: Indoors) -> None:
    _, station = indoors.one_evse("ocpp2.0.1")
    own_reservation(indoors, station, station_evse=1)
    tell(indoors, station, Phase.STARTED, seq=0, evse=1, connector=1, id_token=CARD, reservation=4711)
    assert indoors.reservation()["state"] == "USED"
    assert known(indoors, station) == "Accepted"
    tell(indoors, station, Phase.ENDED, seq=1)
    assert known(indoors, station) == "Invalid"


@pytest.mark.parametrize("state", ["PENDING", "EXPIRED", "CANCELLED", "UNKNOWN"])
def test_a_reservation_of_the_cpo_that_does_not_hold_authorizes_nobody(indoors: Indoors, state: str) -> None:
    _, station = indoors.one_evse()
    own_reservation(indoors, station, state=state)
    assert known(indoors, station) == "Invalid"


def test_a_token_that_is_told_after_its_evse_is_presented_there(indoors: Indoors) -> None:
    _, station = indoors.one_evse("ocpp2.0.1")
    tell(indoors, station, Phase.STARTED, seq=0, evse=1, connector=1)
    later = TransactionChanged(phase=Phase.UPDATED, transaction_id="TX", at=indoors.now, seq=1, id_token=CARD)
    assert indoors.run(authorization.spot, station, later) == (1, 1)
    unheard_of = TransactionChanged(phase=Phase.UPDATED, transaction_id="TY", at=indoors.now, seq=1, id_token=CARD)
    assert indoors.run(authorization.spot, station, unheard_of) == ANYWHERE
