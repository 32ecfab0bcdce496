"""The direct way: commands reach their endpoints past FastAPI, whose layers cost a fifth of an api process's work.

FastAPI has the same routes all the same: for the OpenAPI documents, for other methods, and for all that is no command.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

Endpoint = Callable[[Request], Awaitable[Response]]
#: What is answered to an exception of that class.
Answers = Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]


class Direct:
    """``endpoints``: by path, what a POST there is answered by. What ``answers`` has no answer to, the edge has."""

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, Endpoint], answers: Answers) -> None:
        self._app, self._endpoints, self._answers = app, endpoints, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"]) if scope["method"] == "POST" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        request = Request({**scope, "app": self._app}, receive)
        try:
            response = await endpoint(request)
        except tuple(self._answers) as problem:
            kind = next(one for one in type(problem).__mro__ if one in self._answers)
            response = await self._answers[kind](request, problem)
        await response(scope, receive, send)
