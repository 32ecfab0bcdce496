"""The key that a database was written with: what another one hashes, aliases and seals is of no use there."""

from sqlalchemy import Connection

from gateway.secrets import Secrets, open_secrets
from gateway.settings import Settings
from gateway.store import partners


def proven_secrets(settings: Settings, db: Connection) -> Secrets:
    """This installation's secrets; WrongKey when they are not those that sealed what the database holds."""
    secrets = open_secrets(settings)
    for one in partners.everyone(db)[:1]:
        secrets.open(one.token_out)
    return secrets
