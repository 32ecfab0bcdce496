"""All the operators' commands, for the entry point to add to its own."""

from collections.abc import Mapping

import typer

from gateway.cli import (
    cdrs,
    commands,
    cpo,
    db,
    hub,
    locations,
    partner,
    partner_settings,
    registration,
    reservations,
    sight,
    simulate,
    stations,
    tariffs,
)

# One noun, more verbs than belong into one file.
for _noun, *_others in (
    (partner.app, partner_settings.app, registration.app, hub.app),
    (locations.app, sight.app),
):
    for _more in _others:
        _noun.registered_commands.extend(_more.registered_commands)

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
    for name, noun in NOUNS.items():
        app.add_typer(noun, name=name)
