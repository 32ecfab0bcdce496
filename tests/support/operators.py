"""The CPO's own system at the operator API of a gateway: every answer is as its document says, and tells no secret."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from gateway.secrets import operator_token
from tests.support.gateway import Gateway

PREFIX = "/operator/v1"
DOCUMENT = json.loads((Path(__file__).resolve().parents[2] / "openapi" / "operator.json").read_text())


@dataclass
class Operators:
    """``async with`` it; ``client``: another way there than over the gateway's port."""

    gateway: Gateway
    client: httpx.AsyncClient | None = None
    #: What may never be told beside what the database keeps: tokens as partners send them.
    secrets: list[str] = field(default_factory=list)

    async def __aenter__(self) -> "Operators":
        self.token = operator_token(self.gateway.settings)
        self.client = self.client or httpx.AsyncClient(base_url=self.gateway.api, timeout=60)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.client is not None
        await self.client.aclose()

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """``path`` is one of the document's."""
        assert self.client is not None
        more["headers"] = {"Authorization": f"Bearer {self.token}"} | more.get("headers", {})
        answer = await self.client.request(method, f"{PREFIX}{path}", **more)
        self.must_be_an_answer(answer)
        return answer

    async def get(self, path: str, status: int = 200, **query: Any) -> Any:
        answer = await self.ask("GET", path, params=query)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, status: int = 200, **query: Any) -> Any:
        answer = await self.ask("POST", path, json=body, params=query)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def put(self, path: str, body: Any, status: int = 200, **query: Any) -> Any:
        answer = await self.ask("PUT", path, json=body, params=query)
        assert answer.status_code == status, answer.text
        return answer.json()

    def must_be_an_answer(self, answer: httpx.Response) -> None:
        assert answer.headers["Cache-Control"] == "no-store"
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        kind = answer.headers["Content-Type"]
        if answer.is_error:
            assert kind == "application/problem+json"
            assert set(answer.json()) == {"title", "detail", "status"}
            assert answer.json()["status"] == answer.status_code
        else:
            assert kind == "application/json"
        self._must_be_documented(answer)
        assert [secret for secret in self._never_told() if secret in answer.text] == []

    def _must_be_documented(self, answer: httpx.Response) -> None:
        said = _operation(answer.request.method, answer.request.url.path.removeprefix(PREFIX))
        if said is None:
            assert answer.is_error
            return
        [content] = said["responses"][str(answer.status_code)]["content"].values()
        whole = content["schema"] | {"components": DOCUMENT["components"]}
        Draft202012Validator(whole).validate(answer.json())

    def _never_told(self) -> Iterator[str]:
        yield from (self.token, *self.secrets)
        for row in self.gateway.rows("partner"):
            yield row["token_out"]
        yield from (row["hash"] for row in self.gateway.rows("partner_token"))
        yield from (row["password"] for row in self.gateway.rows("station") if row["password"])


def _operation(method: str, path: str) -> dict[str, Any] | None:
    """What the document says of a request."""
    parts = path.split("/")
    for template, operations in DOCUMENT["paths"].items():
        named = template.split("/")
        fits = len(named) == len(parts) and all(n.startswith("{") or n == p for n, p in zip(named, parts, strict=True))
        if fits and method.lower() in operations:
            return operations[method.lower()]
    return None
