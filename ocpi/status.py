"""OCPI status codes (status_codes.asciidoc) and the errors that carry them.

OcpiError
  ClientError              2000
    InvalidParameters      2001
    NotEnoughInformation   2002
    UnknownLocation        2003
    UnknownToken           2004
  ServerError              3000
    UnusableClientApi      3001
    UnsupportedVersion     3002
    NoMatchingEndpoints    3003
"""

from enum import IntEnum
from typing import Any, ClassVar


class StatusCode(IntEnum):
    """Every code that a standard module may use; 4xxx come from hubs only."""

    SUCCESS = 1000
    CLIENT_ERROR = 2000
    INVALID_PARAMETERS = 2001
    NOT_ENOUGH_INFORMATION = 2002
    UNKNOWN_LOCATION = 2003
    UNKNOWN_TOKEN = 2004
    SERVER_ERROR = 3000
    UNUSABLE_CLIENT_API = 3001
    UNSUPPORTED_VERSION = 3002
    NO_MATCHING_ENDPOINTS = 3003
    HUB_ERROR = 4000
    HUB_UNKNOWN_RECEIVER = 4001
    HUB_TIMEOUT = 4002
    HUB_CONNECTION_PROBLEM = 4003


class OcpiError(Exception):
    """The request cannot be fulfilled."""

    status_code: ClassVar[StatusCode]

    def __init__(self, message: str | None = None, *, data: dict[str, Any] | None = None) -> None:
        """Without ``message`` the class speaks for itself; ``data`` goes into the envelope beside the code."""
        super().__init__(message or type(self).__doc__)
        self.data = data


class ClientError(OcpiError):
    """The request cannot be understood or granted."""

    status_code = StatusCode.CLIENT_ERROR


class InvalidParameters(ClientError):
    """Invalid or missing parameters."""

    status_code = StatusCode.INVALID_PARAMETERS


class NotEnoughInformation(ClientError):
    """Not enough information to decide."""

    status_code = StatusCode.NOT_ENOUGH_INFORMATION


class UnknownLocation(ClientError):
    """Unknown location."""

    status_code = StatusCode.UNKNOWN_LOCATION


class UnknownToken(ClientError):
    """Unknown token."""

    status_code = StatusCode.UNKNOWN_TOKEN


class ServerError(OcpiError):
    """The server cannot fulfil the request."""

    status_code = StatusCode.SERVER_ERROR


class UnusableClientApi(ServerError):
    """The client's own endpoints cannot be used."""

    status_code = StatusCode.UNUSABLE_CLIENT_API


class UnsupportedVersion(ServerError):
    """This OCPI version is not supported."""

    status_code = StatusCode.UNSUPPORTED_VERSION


class NoMatchingEndpoints(ServerError):
    """An expected endpoint is missing."""

    status_code = StatusCode.NO_MATCHING_ENDPOINTS
