"""Parties as operators write them: the options and checks that our own and our partners' have in common."""

import re
from typing import Annotated

import typer

from gateway.cli.opening import Refused
from ocpi.headers import Party

Country = Annotated[str, typer.Option("--country", metavar="CC", help="ISO 3166-1 country code, two letters.")]
PartyId = Annotated[str, typer.Option("--party", metavar="PID", help="OCPI party_id, up to three characters.")]

_LONGEST_NAME = 100


def read_party(country: str, party: str) -> Party:
    if not re.fullmatch("[A-Za-z]{2}", country):
        raise Refused(f"--country is two letters, not {country!r}.")
    if not re.fullmatch("[!-~]{1,3}", party):
        raise Refused(f"--party is one to three printable ASCII characters, not {party!r}.")
    return Party(country.upper(), party)


def read_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise Refused(f"--name is one to {_LONGEST_NAME} printable characters.")
    return name
