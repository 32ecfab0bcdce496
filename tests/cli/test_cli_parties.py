"""`cpo`, `partner` and `db`: who is who, and what is refused in a sentence."""

import os
from pathlib import Path

import pytest

from gateway.house import utc_now
from gateway.secrets import open_secrets
from gateway.settings import Settings
from gateway.store import endpoints, partner_tokens
from tests.cli.conftest import Operator, application

PARTNER = ("partner", "add", "--name", "Emsp", "--country", "DE", "--party", "EMS")
URL = "https://emsp.example/ocpi/2.2.1"
TOKENS = ("--token-in", "we-hear", "--token-out", "we-say")


def test_a_cpo_party_is_added_and_listed(operator: Operator) -> None:
    assert operator.sees("cpo", "list") == []
    assert "There is no party yet" in operator.does("cpo", "list")
    operator.does("cpo", "add", "--country", "nl", "--party", "CPO", "--name", "Our CPO")
    assert operator.sees("cpo", "list") == [
        {"id": 1, "country_code": "NL", "party_id": "CPO", "name": "Our CPO"},
    ]
    assert "NL*CPO" in operator.does("cpo", "list")


@pytest.mark.parametrize(
    ("country", "party", "sentence"),
    [("NLD", "CPO", "--country"), ("N1", "CPO", "--country"), ("NL", "CPOX", "--party"), ("NL", "", "--party")],
)
def test_an_impossible_party_is_refused(operator: Operator, country: str, party: str, sentence: str) -> None:
    assert sentence in operator.hears("cpo", "add", "--country", country, "--party", party, "--name", "N")
    assert operator.sees("cpo", "list") == []


def test_the_same_party_in_another_case_is_the_same_party(cpo: Operator) -> None:
    assert "already" in cpo.hears("cpo", "add", "--country", "nl", "--party", "cpo", "--name", "Again")


def test_a_partner_is_told_with_everything_but_its_tokens(operator: Operator) -> None:
    words = ("--callback-host", "EMSP.example", "--callback-host", "[2a00:1450::1]", "--role", "hub", "--raw-token")
    words += ("--endpoint", f"tokens={URL}/tokens", "--endpoint", f"sessions={URL}/sessions", "--keep-pushing")
    words += ("--authorize-unknown", "--allow-unlock", "--lenient-token")
    told = operator.sees(*PARTNER, *TOKENS, *words, "--version", "2.2")
    assert told == {
        "id": 1,
        "name": "Emsp",
        "country_code": "DE",
        "party_id": "EMS",
        "role": "HUB",
        "version": "2.2",
        "state": "ACTIVE",
        "callback_hosts": ["emsp.example", "[2a00:1450::1]"],
        "allow_unlock": True,
        "lenient_token": True,
        "token_out_encoding": "raw",
        "keep_pushing": True,
        "authorize_unknown": True,
        "endpoints": {"sessions": f"{URL}/sessions", "tokens": f"{URL}/tokens"},
        "failing_pushes": 0,
    }
    shown = operator.sees("partner", "show", "Emsp")
    assert shown == operator.sees("partner", "show", "1")
    assert told.items() <= shown.items()
    assert shown["parties"] == [{"country_code": "DE", "party_id": "EMS", "role": "HUB"}]
    assert shown["tolerance"] == {
        "raw_token": "yes",
        "partial_tokens": "yes",
        "missing_routing_headers": "no",
        "other_trailing_slash": "no",
        "missing_request_ids": "always",
        "wrapped_or_absent_data": "always",
        "party_ids_in_any_case": "always",
        "envelope_with_404": "always",
    }
    assert [one["scope"] for one in shown["tokens_in"]] == ["ACCESS"]
    assert operator.sees("partner", "list") == [told]
    for words in (("list",), ("show", "Emsp")):
        text = operator.does("partner", *words)
        assert "emsp.example" in text
        assert not {"we-hear", "we-say"} & set(text.split())


def test_a_partners_tokens_are_kept_hashed_and_sealed(operator: Operator) -> None:
    operator.does(*PARTNER, *TOKENS)
    secrets = open_secrets(Settings(data_dir=operator.data))
    found, _ = operator.database(lambda db: partner_tokens.holder(db, [secrets.token_hash("we-hear")], utc_now()))
    assert secrets.open(found.token_out) == "we-say"
    assert b"we-hear" not in (operator.data / "gateway.db").read_bytes()


def test_a_partner_without_callback_host_is_added_with_a_remark(operator: Operator) -> None:
    result = operator(*PARTNER, *TOKENS, "--json")
    assert result.exit_code == 0
    assert "every response_url of theirs will be refused" in result.stderr
    assert "refused" not in result.stdout
    assert "is refused" in operator.does("partner", "show", "1")


@pytest.mark.parametrize(
    "host",
    [
        "https://emsp.example",
        "emsp.example:443",
        "emsp.example/ocpi",
        "2a00:1450::1",
        "",
        "a b",
        "169.254.169.254",
        "ü.example",
    ],
)
def test_a_callback_host_is_a_host_as_urls_have_it(operator: Operator, host: str) -> None:
    assert "--callback-host" in operator.hears(*PARTNER, *TOKENS, "--callback-host", host)
    assert operator.sees("partner", "list") == []


def test_an_endpoint_is_set_changed_and_removed(operator: Operator) -> None:
    operator.adds_partner("Emsp")
    assert operator.sees("partner", "show", "Emsp")["endpoints"] == {}
    for url in (f"{URL}/cdrs", f"{URL}/other"):
        assert url in operator.does("partner", "endpoint", "Emsp", "cdrs", url)
    operator.does("partner", "endpoint", "1", "locations", URL)
    assert operator.sees("partner", "list")[0]["endpoints"] == {"cdrs": f"{URL}/other", "locations": URL}
    assert f"{URL}/other" in operator.does("partner", "show", "Emsp")
    roles = operator.database(lambda db: [(one["identifier"], one["role"]) for one in endpoints.of_partner(db, 1)])
    assert roles == [("cdrs", "RECEIVER"), ("locations", "RECEIVER")]
    assert "no more" in operator.does("partner", "endpoint", "Emsp", "cdrs")
    assert operator.sees("partner", "show", "Emsp")["endpoints"] == {"locations": URL}
    assert "no endpoint for cdrs" in operator.hears("partner", "endpoint", "Emsp", "cdrs")


@pytest.mark.parametrize(
    ("module", "url", "why"),
    [
        ("tariffs", URL, "no endpoint 'tariffs'"),
        ("SESSIONS", URL, "there are sessions, cdrs, tokens, locations"),
        ("sessions", "http://emsp.example/sessions", "Only https"),
        ("sessions", "https://user@emsp.example/", "Not a plain URL"),
        ("sessions", "emsp.example/sessions", "Not a plain URL"),
        ("sessions", "https://127.0.0.1/sessions", "not one that partners may name"),
        ("sessions", f"{URL}/sessions?of=us", "It has a query"),
        ("sessions", f"{URL}/sessions#all", "fragment"),
        ("sessions", f"{URL}/{'x' * 255}", "longer than 255"),
        ("sessions", "", "Not a plain URL"),
    ],
)
def test_an_endpoint_that_cannot_be_called_is_refused_and_changes_nothing(
    operator: Operator, module: str, url: str, why: str
) -> None:
    assert why in operator.hears(*PARTNER, *TOKENS, "--endpoint", f"{module}={url}")
    assert operator.sees("partner", "list") == []
    operator.does(*PARTNER, *TOKENS, "--endpoint", f"sessions={URL}")
    assert why in operator.hears("partner", "endpoint", "Emsp", module, url)
    assert operator.sees("partner", "show", "Emsp")["endpoints"] == {"sessions": URL}


@pytest.mark.parametrize(
    ("words", "why"), [(("sessions",), "MODULE=URL"), ((f"cdrs={URL}", f"cdrs={URL}"), "cdrs twice"), (("",), "MODULE")]
)
def test_endpoints_that_make_no_sense_are_refused(operator: Operator, words: tuple[str, ...], why: str) -> None:
    given = [word for one in words for word in ("--endpoint", one)]
    assert why in operator.hears(*PARTNER, *TOKENS, *given)


def test_a_plain_http_endpoint_is_for_private_networks(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_ALLOW_PRIVATE_CALLBACKS", "true")
    operator.does(*PARTNER, *TOKENS, "--endpoint", "sessions=http://127.0.0.1:9500/sessions")
    assert operator.sees("partner", "show", "1")["endpoints"] == {"sessions": "http://127.0.0.1:9500/sessions"}


@pytest.mark.parametrize("token", ["", "x" * 65, "two words", "tokén", "a\n"])
@pytest.mark.parametrize("option", ["--token-in", "--token-out"])
def test_a_token_is_64_printable_characters_at_most(operator: Operator, option: str, token: str) -> None:
    given = dict(zip(TOKENS[::2], TOKENS[1::2], strict=True)) | {option: token}
    words = [word for pair in given.items() for word in pair]
    assert option in operator.hears(*PARTNER, *words)


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [("abcd", "abcd", True), ("abcd", "YWJjZA==", True), ("YWJjZA==", "abcd", True), ("abcd", "ABCD", False)],
)
def test_a_token_that_could_mean_two_partners_is_refused(
    operator: Operator, first: str, second: str, refused: bool
) -> None:
    """``YWJjZA==`` is ``abcd`` in Base64: a header with it could be either partner's."""
    operator.adds_partner("First", **{"token-in": first})
    result = operator(*PARTNER, "--token-in", second, "--token-out", "out")
    assert (result.exit_code == 1) == refused


def test_a_removed_partners_token_is_not_given_again_but_its_name_is(operator: Operator) -> None:
    operator.adds_partner("Emsp")
    assert "already" in operator.hears(*PARTNER, "--token-in", "other", "--token-out", "out")
    operator.does("partner", "remove", "Emsp")
    assert "in use" in operator.hears(*PARTNER, "--token-in", "in-Emsp", "--token-out", "out")
    operator.does(*PARTNER, "--token-in", "other", "--token-out", "out")
    assert [(one["id"], one["state"]) for one in operator.sees("partner", "list")] == [(1, "REMOVED"), (2, "ACTIVE")]
    assert operator.sees("partner", "show", "Emsp")["id"] == 2
    assert operator.sees("partner", "show", "1")["state"] == "REMOVED"


def test_a_name_of_digits_alone_would_be_taken_for_an_id(operator: Operator) -> None:
    assert "ids" in operator.hears(*PARTNER[:3], "7", *PARTNER[4:], *TOKENS)


def test_suspend_resume_and_remove_follow_the_lifecycle(operator: Operator) -> None:
    operator.adds_partner("Emsp")
    assert "already" in operator.hears("partner", "resume", "Emsp")
    operator.does("partner", "suspend", "1")
    assert operator.sees("partner", "show", "1")["state"] == "SUSPENDED"
    assert "already" in operator.hears("partner", "suspend", "Emsp")
    operator.does("partner", "resume", "Emsp")
    assert operator.sees("partner", "show", "1")["state"] == "ACTIVE"
    operator.does("partner", "remove", "Emsp")
    assert "cannot become ACTIVE" in operator.hears("partner", "resume", "1")
    assert "no partner 'Emsp'" in operator.hears("partner", "suspend", "Emsp")


@pytest.mark.parametrize("which", ["nobody", "99", "9" * 30, "\udcff"])
def test_an_unknown_partner_is_a_sentence(operator: Operator, which: str) -> None:
    assert operator.hears("partner", "show", which)


@pytest.mark.parametrize("words", [("--version", "2.1.1"), ("--role", "CPO"), ("--nonsense",)])
def test_a_wrong_use_is_exit_code_2(operator: Operator, words: tuple[str, ...]) -> None:
    assert operator(*PARTNER, *TOKENS, *words).exit_code == 2


def test_markup_and_terminal_codes_in_names_do_nothing(operator: Operator) -> None:
    assert "--name" in operator.hears(*PARTNER[:3], "\x1b[31mred", *PARTNER[4:], *TOKENS)
    operator.does(*PARTNER[:3], "[bold]x[/] :smile:", *PARTNER[4:], *TOKENS)
    assert "[bold]x[/] :smile:" in operator.does("partner", "list")


def test_the_schemas_revision_is_told_without_making_a_database(operator: Operator) -> None:
    seen = operator.sees("db", "current")
    assert seen == {"current": None, "head": seen["head"], "up_to_date": False}
    assert "empty" in operator.does("db", "current")
    assert not (operator.data / "gateway.db").exists()
    assert "is now at" in operator.does("db", "upgrade")
    assert "was already at" in operator.does("db", "upgrade")
    assert operator.sees("db", "current")["up_to_date"] is True
    assert "this release's" in operator.does("db", "current")


def test_a_database_of_a_newer_release_is_a_sentence(operator: Operator) -> None:
    operator.does("db", "upgrade")
    operator.database(lambda db: db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    assert "not made by this release" in operator.hears("cpo", "list")
    assert "9999" in operator.does("db", "current")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("GATEWAY_DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/x", "The database cannot be used"),
        ("GATEWAY_DATABASE_URL", "mysql://u:secret@127.0.0.1/x", "GATEWAY_DATABASE_URL is wrong"),
        ("GATEWAY_DATABASE_URL", "sqlite:secret", "GATEWAY_DATABASE_URL is wrong"),
        ("GATEWAY_STATION_TIMEOUT", "40", "GATEWAY_STATION_TIMEOUT must be less"),
        ("GATEWAY_CURRENCY", "euro", "GATEWAY_CURRENCY is wrong"),
    ],
)
@pytest.mark.parametrize("words", [("cpo", "list"), ("db", "current")])
def test_wrong_settings_are_a_sentence(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str, words: tuple[str, ...]
) -> None:
    if name == "GATEWAY_DATABASE_URL":
        operator.url = value
    else:
        monkeypatch.setenv(name, value)
    heard = operator.hears(*words)
    assert sentence in heard
    assert "secret" not in heard


def test_a_data_directory_that_cannot_be_is_a_sentence(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in operator.hears("cpo", "list", "--data", tmp_path / "file" / "data")


def test_a_file_that_is_no_database_is_a_sentence(operator: Operator) -> None:
    operator.data.mkdir()
    (operator.data / "gateway.db").write_bytes(b"not a database" * 100)
    assert "The database cannot be used" in operator.hears("cpo", "list")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_directory_that_may_not_be_written_is_a_sentence(operator: Operator, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert operator.hears("cpo", "list")


def test_the_data_option_wins_over_the_environment(operator: Operator, tmp_path: Path) -> None:
    operator.does("cpo", "add", "--country", "NL", "--party", "ONE", "--name", "One", "--data", tmp_path / "other")
    assert operator.sees("cpo", "list") == []
    assert [one["party_id"] for one in operator.sees("cpo", "list", "--data", tmp_path / "other")] == ["ONE"]


def test_partners_and_parties_on_either_database(database_url: str, tmp_path: Path) -> None:
    operator = Operator(url=database_url, data=tmp_path / "data", app=application())
    operator.does("cpo", "add", "--country", "NL", "--party", "CPO", "--name", "Our CPO")
    added = operator.adds_partner("Emsp")
    operator.does("partner", "suspend", "Emsp")
    assert operator.sees("partner", "list") == [added | {"state": "SUSPENDED"}]
    assert operator.sees("db", "current")["up_to_date"] is True
