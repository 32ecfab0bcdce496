"""All the operators' commands, for the entry point to add to its own."""

from collections.abc import Mapping

import typer

from gateway.cli import (
    cdrs,
    commands,
    cpo,
    db,
    locations,
    partner,
    partner_settings,
    registration,
    reservations,
    simulate,
    stations,
    tariffs,
)

#: Of these, each file brings a few of the noun's verbs.
PARTNER = (partner.app, partner_settings.app, registration.app)

NOUNS: Mapping[str, typer.Typer] = {
    "db": db.app,
    "cpo": cpo.app,
    "partner": partner.app,
    "locations": locations.app,
    "stations": stations.app,
    "commands": commands.app,
    "reservations": reservations.app,
    "tariffs": tariffs.app,
    "cdrs": cdrs.app,
    "simulate": simulate.app,
}


def add_to(app: typer.Typer) -> None:
    for more in PARTNER[1:]:
        partner.app.registered_commands += more.registered_commands
    for name, noun in NOUNS.items():
        app.add_typer(noun, name=name)
