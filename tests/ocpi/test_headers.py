"""Headers: whose token, which parties, which ids."""

import base64
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpi.headers import (
    Encoding,
    MessageIds,
    Party,
    Routing,
    authorization,
    message_ids,
    read_routing,
    token_candidates,
)
from ocpi.status import InvalidParameters
from tests.ocpi.vectors import ours

TOKENS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)
AUTHORIZATIONS = ours("transport/authorization_headers.json")
ROUTINGS = ours("transport/routing_headers.json")
EMSP = Party("NL", "EMQ")
CPO = Party("NL", "CPX")


@pytest.mark.parametrize("vector", AUTHORIZATIONS, ids=lambda vector: vector["header"][:40])
def test_the_callers_token_is_among_the_candidates(vector: dict[str, Any]) -> None:
    candidates = token_candidates(vector["header"])
    assert vector["credentials_token"] in candidates if vector["credentials_token"] else candidates == ()


@pytest.mark.parametrize(
    "vector", [v for v in AUTHORIZATIONS if v["mode"][:3] in {"bas", "raw"}], ids=lambda v: v["header"][:40]
)
def test_rule_2_our_headers_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    encoding = Encoding.RAW if vector["mode"].startswith("raw") else Encoding.BASE64
    assert authorization(vector["credentials_token"], encoding) == vector["header"]


@given(TOKENS, st.sampled_from(Encoding))
def test_rule_3_a_token_survives_the_way_in_either_encoding(token: str, encoding: Encoding) -> None:
    assert token in token_candidates(authorization(token, encoding))


@given(st.text(min_size=1))
def test_any_token_at_all_survives_in_base64_but_for_the_white_space_around_it(token: str) -> None:
    sent = token.strip(" \t\n\r\v\f").encode(errors="ignore").decode()
    if sent:
        assert token_candidates(authorization(sent, Encoding.BASE64))[0] == sent.strip(" \t\n\r\v\f")


@pytest.mark.parametrize("token", ["example-token\n", "example-token\r\n", " example-token "])
@pytest.mark.parametrize("encoding", Encoding)
def test_a_line_feed_is_never_part_of_the_token_we_send(token: str, encoding: Encoding) -> None:
    assert authorization(token, encoding) == authorization("example-token", encoding)
    assert "\n" not in authorization(token, encoding)


@pytest.mark.parametrize("token", ["", "\n", "two words", "a\r\nX-Evil: b", "é"])
def test_what_would_break_the_header_is_not_sent_raw(token: str) -> None:
    with pytest.raises(ValueError, match="raw"):
        authorization(token, Encoding.RAW)


@pytest.mark.parametrize(
    ("header", "candidates"),
    [
        (None, ()),
        ("", ()),
        ("Token", ()),
        ("Token   ", ()),
        ("Bearer abc", ()),
        ("Tokenabc", ()),
        ("abc", ()),
        ("token YQ==", ("a", "YQ==")),
        ("TOKEN \t YQ== ", ("a", "YQ==")),
        ("Token !~", ("!~",)),
        ("Token Y-Q==", ("Y-Q==",)),
        ("Token é", ("é",)),
        ("Token Cg==", ("Cg==",)),
        ("Token " + base64.b64encode(bytes(range(224, 256))).decode(), None),
    ],
)
def test_every_header_gives_candidates_and_none_an_error(
    header: str | None, candidates: tuple[str, ...] | None
) -> None:
    if candidates is None:
        assert header is not None
        candidates = (header.removeprefix("Token "),)
    assert token_candidates(header) == candidates


@given(st.text())
def test_no_header_can_break_the_reader(header: str) -> None:
    token_candidates(header)
    token_candidates(f"Token {header}")


def test_a_party_is_the_same_in_any_case_and_keeps_its_spelling() -> None:
    party = Party("NL", "TnM")
    assert party == Party("nl", "tNm")
    assert hash(party) == hash(Party("nl", "tNm"))
    assert party.key == "nl*tnm"
    assert (party.country_code, party.party_id, str(party)) == ("NL", "TnM", "NL*TnM")
    assert party != Party("NL", "TNX")
    assert party != "nl*tnm"


IDS = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


@given(st.text(IDS, max_size=2), st.text(IDS, max_size=3), st.text(IDS, max_size=2), st.text(IDS, max_size=3))
def test_no_two_parties_share_a_key(country: str, party: str, other_country: str, other_party: str) -> None:
    one, other = Party(country.strip(), party), Party(other_country.strip(), other_party)
    same = (one.country_code.lower(), party.lower()) == (other.country_code.lower(), other_party.lower())
    assert (one.key == other.key) is same


def test_a_star_in_an_id_does_not_make_two_parties_one() -> None:
    assert Party("A*", "B") != Party("A", "*B")


def test_rule_8_header_names_are_read_in_any_case() -> None:
    shouted = {name.upper(): value for name, value in ROUTINGS["request_direct"].items()}
    assert read_routing(shouted) == read_routing(ROUTINGS["request_direct"]) == Routing(to=CPO, from_=EMSP)


@pytest.mark.parametrize("name", ROUTINGS)
def test_rule_35_routing_headers_read_and_write_themselves(name: str) -> None:
    assert read_routing(ROUTINGS[name]).headers() == ROUTINGS[name]


def test_rule_38_the_answer_goes_the_other_way() -> None:
    request = read_routing(ROUTINGS["request_direct"])
    assert request.swapped().headers() == ROUTINGS["its_response"]
    assert request.swapped().swapped() == request


def test_rule_39_the_result_goes_from_our_party_to_the_emsp() -> None:
    assert Routing(to=EMSP, from_=CPO).headers() == ROUTINGS["async_result_request"]


def test_rule_44_an_open_request_names_only_its_sender() -> None:
    assert read_routing(ROUTINGS["open_routing_request_from_emsp_to_hub"]) == Routing(from_=EMSP)


def test_rule_37_a_configuration_message_has_no_routing() -> None:
    assert read_routing(ROUTINGS["configuration_module"]) == Routing()
    assert Routing().swapped().headers() == {}


@pytest.mark.parametrize("missing", ROUTINGS["request_direct"])
@pytest.mark.parametrize("blank", [True, False])
def test_half_a_party_is_refused_by_the_name_of_the_missing_header(missing: str, blank: bool) -> None:
    headers = {name: value for name, value in ROUTINGS["request_direct"].items() if name != missing}
    with pytest.raises(InvalidParameters, match=f"Missing header: {missing}"):
        read_routing(headers | ({missing: " "} if blank else {}))


@pytest.mark.parametrize("value", ["NLDX", "é", "a\nb"])
@pytest.mark.parametrize("name", ROUTINGS["request_direct"])
def test_an_impossible_party_is_refused_by_the_name_of_its_header(name: str, value: str) -> None:
    with pytest.raises(InvalidParameters, match=f"Invalid header: {name}"):
        read_routing(ROUTINGS["request_direct"] | {name: value})


def test_rule_48_and_rule_49_the_callers_ids_are_repeated() -> None:
    ids = message_ids({"x-request-id": " r-1 ", "X-CORRELATION-ID": "c-1"})
    assert ids == MessageIds("r-1", "c-1")
    assert ids.headers() == {"X-Request-ID": "r-1", "X-Correlation-ID": "c-1"}


@pytest.mark.parametrize("value", ["", "  ", "x" * 129, "a\nb", "é"])
def test_rule_50_an_id_that_cannot_be_repeated_is_replaced_by_a_uuid(value: str) -> None:
    ids = message_ids({"X-Request-ID": value, "X-Correlation-ID": "x" * 128})
    assert UUID(ids.request_id).version == 4
    assert ids.correlation_id == "x" * 128


def test_ids_that_are_missing_are_made_each_on_its_own() -> None:
    ids = message_ids({})
    assert len({ids.request_id, ids.correlation_id, message_ids({}).request_id}) == 3
