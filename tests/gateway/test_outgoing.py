"""Outgoing HTTP against servers that misbehave, over real sockets."""

import asyncio
import datetime
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
import respx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.outgoing import client as outgoing
from gateway.outgoing.client import Posted, open_client, post_json, send_json
from gateway.outgoing.guard import UrlRefused
from gateway.outgoing.names import CheckedResolver, check_resolved
from tests.gateway.test_guard import MuteResolver, ScriptedResolver

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]
#: Far longer than any test should take, even on a busy machine.
LONG = 60.0


class Server:
    """A loopback HTTP server that remembers what it is told and answers with whatever bytes its script writes."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.hung_up = asyncio.Event()
        self.port = 0
        self.talks: set[asyncio.Task[None] | None] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.talks.add(asyncio.current_task())
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                self.bodies.append(await reader.readexactly(int(lines.get("content-length", "0"))))
                await self.answer(writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            self.hung_up.set()
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def close(self) -> None:
        for talk in filter(None, self.talks):
            talk.cancel()
        await asyncio.gather(*filter(None, self.talks), return_exceptions=True)


@asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(answer)
    listener = await asyncio.start_server(server.talk, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.close()


def saying(*parts: bytes) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.writelines(parts)

    return answer


def plain(body: bytes = b'{"status_code":1000}', status: str = "200 OK", *headers: str) -> Answer:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return saying("\r\n".join(lines).encode(), body)


def client_for(
    names: ScriptedResolver | MuteResolver | None = None, *, allow_private: bool = True
) -> AbstractAsyncContextManager[httpx.AsyncBaseTransport]:
    return open_client(allow_private=allow_private, resolver=names or ScriptedResolver(["127.0.0.1"]))


async def post(
    client: httpx.AsyncBaseTransport, server: Server, timeout: float = LONG, max_body: int = 65536
) -> Posted:
    return await post_json(
        client, f"http://emsp.test:{server.port}/cb", {"authorization": "Token c2VjcmV0"}, b"{}", timeout, max_body
    )


async def test_a_result_is_posted_and_the_answer_read() -> None:
    async with serving(plain()) as server, client_for() as client:
        posted = await post(client, server)
    assert (posted.http_status, posted.body, posted.error) == (200, b'{"status_code":1000}', None)
    assert posted.milliseconds >= 0
    assert server.bodies == [b"{}"]
    head = server.heads[0].lower()
    assert head.startswith("post /cb http/1.1\r\n")
    for line in (
        "host: emsp.test",
        "content-type: application/json",
        "authorization: token",
        "accept-encoding: identity",
    ):
        assert f"\r\n{line}" in head


async def test_an_answer_is_read_whatever_alphabet_its_reason_is_in() -> None:
    answer = b"HTTP/1.1 200 Accept\xe9\r\ncontent-length: 2\r\n\r\n{}"
    async with serving(saying(answer)) as server, client_for() as client:
        posted = await post(client, server)
    assert (posted.http_status, posted.body, posted.error) == (200, b"{}", None)


async def test_connections_are_used_again() -> None:
    async with serving(plain()) as server, client_for() as client:
        for _ in range(3):
            assert (await post(client, server)).http_status == 200
        assert server.connections == 1


async def test_other_methods_go_the_same_way_and_may_have_no_body() -> None:
    async with serving(plain()) as server, client_for() as client:
        url = f"http://emsp.test:{server.port}/sessions/1"
        assert (await send_json(client, "PATCH", url, {}, b'{"a":1}', LONG)).http_status == 200
        assert (await send_json(client, "GET", url, {}, None, LONG)).http_status == 200
    assert [head.split(" ")[0] for head in server.heads] == ["PATCH", "GET"]
    assert server.bodies == [b'{"a":1}', b""]


async def test_a_redirect_is_not_followed() -> None:
    async with serving(plain(b"", "307 Temporary Redirect", "location: /elsewhere")) as server, client_for() as client:
        assert (await post(client, server)).http_status == 307
    assert len(server.heads) == 1


async def test_cookies_are_not_kept() -> None:
    async with serving(plain(b"", "200 OK", "set-cookie: a=b; Path=/")) as server, client_for() as client:
        await post(client, server)
        await post(client, server)
    assert all("cookie:" not in head.lower() for head in server.heads)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(plain()) as server, client_for() as client:
        assert (await post(client, server)).http_status == 200


async def test_a_server_that_says_nothing_is_left_at_the_deadline() -> None:
    async with serving(saying()) as server, client_for() as client:
        posted = await post(client, server, timeout=0.3)
        assert posted.http_status is None
        assert posted.error
        await asyncio.wait_for(server.hung_up.wait(), LONG)


async def test_a_body_that_drips_does_not_outlast_the_deadline() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as server, client_for() as client:
        posted = await post(client, server, timeout=0.5)
        await asyncio.wait_for(server.hung_up.wait(), LONG)
    assert posted.http_status in (200, None)
    assert posted.error == "No complete answer within 0.5 seconds."


async def test_headers_that_drip_do_not_outlast_the_deadline() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nx: ")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as server, client_for() as client:
        posted = await post(client, server, timeout=0.3)
    assert (posted.http_status, bool(posted.error)) == (None, True)


async def test_an_endless_body_is_cut() -> None:
    async def pour(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
            await writer.drain()

    async with serving(pour) as server, client_for() as client:
        posted = await post(client, server, max_body=1000)
        await asyncio.wait_for(server.hung_up.wait(), LONG)
    assert (posted.http_status, posted.body, posted.error) == (200, b"x" * 1000, None)


async def test_a_compressed_answer_is_never_unpacked() -> None:
    bomb = gzip.compress(b"0" * 5_000_000)
    async with serving(plain(bomb, "200 OK", "content-encoding: gzip")) as server, client_for() as client:
        posted = await post(client, server)
        assert (posted.http_status, posted.body) == (200, bomb)
        whole = await httpx.AsyncClient(transport=client).get(f"http://emsp.test:{server.port}/")
        assert whole.content == bomb


@pytest.mark.parametrize("nonsense", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\0" * 100_000])
async def test_what_is_not_http_is_an_error_of_this_attempt(nonsense: bytes) -> None:
    async with serving(saying(nonsense)) as server, client_for() as client:
        posted = await post(client, server)
    assert posted.http_status is None
    assert posted.error
    assert len(posted.error) <= 300


async def test_a_connection_cut_in_the_body_keeps_the_status() -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")
        await writer.drain()
        writer.close()

    async with serving(cut) as server, client_for() as client:
        posted = await post(client, server)
    assert (posted.http_status, posted.body) == (200, b"abc")
    assert posted.error


async def test_nobody_listening_is_an_error_of_this_attempt() -> None:
    async with serving(plain()) as server:
        pass
    async with client_for() as client:
        posted = await post(client, server)
    assert posted.http_status is None
    assert "Cannot connect" in (posted.error or "")


@pytest.mark.parametrize("url", ["", "nonsense", "http://", "http://[::1", "https://emsp.test:99999/", "http://\n/"])
async def test_no_url_makes_a_post_raise(url: str) -> None:
    async with client_for() as client:
        posted = await post_json(client, url, {}, b"{}", 5)
    assert posted.http_status is None
    assert posted.error


@pytest.mark.parametrize("value", ["a\r\nx-injected: 1", "\u00e9\u20ac"])
async def test_a_header_that_cannot_be_sent_is_an_error_that_does_not_tell_it(value: str) -> None:
    async with serving(plain()) as server, client_for() as client:
        posted = await post_json(client, f"http://emsp.test:{server.port}/", {"authorization": value}, b"{}", LONG)
    assert posted.http_status is None
    assert posted.error
    assert "x-injected" not in posted.error
    assert server.heads == []


async def test_an_unknown_name_is_an_error_of_this_attempt() -> None:
    async with client_for(ScriptedResolver([])) as client:
        posted = await post_json(client, "https://emsp.test/", {}, b"{}", LONG)
    assert posted.http_status is None
    assert posted.error


async def test_a_mute_name_server_does_not_outlast_the_deadline() -> None:
    async with client_for(MuteResolver()) as client:
        posted = await post_json(client, "https://emsp.test/", {}, b"{}", 0.1)
    assert posted.error == "No complete answer within 0.1 seconds."


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"]])
async def test_a_name_that_leads_inside_is_not_connected_to(answer: list[str]) -> None:
    async with serving(plain()) as server, client_for(ScriptedResolver(answer), allow_private=False) as client:
        posted = await post_json(client, f"https://emsp.test:{server.port}/", {}, b"{}", LONG)
        assert posted.error == "The name emsp.test leads to an address that partners may not name."
        assert server.connections == 0


async def test_a_name_that_changes_its_answer_after_the_check_is_not_connected_to() -> None:
    service = ScriptedResolver(["8.8.8.8"], ["127.0.0.1"])
    api = CheckedResolver(allow_private=False, resolver=service)
    async with serving(plain()) as server, client_for(service, allow_private=False) as client:
        url = f"https://emsp.test:{server.port}/"
        await check_resolved(url, api, limit=LONG)
        posted = await post_json(client, url, {}, b"{}", LONG)
        assert "leads to an address" in (posted.error or "")
        assert server.connections == 0
    await api.close()


async def test_what_was_checked_is_what_is_connected_to() -> None:
    service = ScriptedResolver(["127.0.0.1"], ["169.254.169.254"])
    async with serving(plain()) as server, client_for(service) as client:
        assert (await post(client, server)).http_status == 200
    assert service.asked == ["emsp.test"]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "2130706433",
        "017700000001",
        "0x7f.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "0.0.0.0",
        "0",
        "[::]",
        "localhost",
        "user@127.0.0.1",
        "emsp.test@127.0.0.1",
    ],
)
async def test_literal_addresses_inside_are_not_connected_to_in_any_spelling(host: str) -> None:
    async with serving(plain()) as server, open_client(allow_private=False) as client:
        posted = await post_json(client, f"https://{host}:{server.port}/", {}, b"{}", LONG)
        assert posted.http_status is None
        assert posted.error
        assert server.connections == 0


async def test_plain_http_is_not_spoken_unless_private_callbacks_are_allowed() -> None:
    async with client_for(ScriptedResolver(["8.8.8.8"]), allow_private=False) as client:
        posted = await post_json(client, "http://emsp.test/", {}, b"{}", LONG)
    assert posted.error == "Only https URLs are called."


async def test_others_who_use_the_client_are_told_by_the_refusal_itself() -> None:
    async with client_for(ScriptedResolver(["10.0.0.1"]), allow_private=False) as client:
        with pytest.raises(UrlRefused):
            await httpx.AsyncClient(transport=client).get("https://emsp.test/")


async def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    async with serving(plain(), tls=_self_signed(tmp_path)) as server, client_for() as client:
        posted = await post_json(client, f"https://emsp.test:{server.port}/", {}, b"{}", LONG)
    assert posted.http_status is None
    assert "certificate" in (posted.error or "").lower()
    assert server.heads == []


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "emsp.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("emsp.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_partner_that_never_answers_takes_no_connection_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "PER_HOST", 2)
    async with serving(saying()) as mute, serving(plain()) as quick, client_for() as client:
        stuck = [asyncio.create_task(post(client, mute)) for _ in range(10)]
        assert (await post(client, quick)).http_status == 200
        while mute.connections < 2:
            await asyncio.sleep(0.01)
        assert (await post(client, quick)).http_status == 200
        assert mute.connections == 2
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


async def test_respx_takes_the_place_of_the_network() -> None:
    router = respx.MockRouter()
    router.post("https://emsp.test/cb").respond(200, json={"status_code": 1000})
    async with open_client(allow_private=False, transport=httpx.MockTransport(router.async_handler)) as client:
        posted = await post_json(client, "https://emsp.test/cb", {}, b"{}", LONG)
        inside = await post_json(client, "https://127.0.0.1/cb", {}, b"{}", LONG)
    assert posted.http_status == 200
    assert router.calls.call_count == 1
    assert inside.error == "The address 127.0.0.1 is not one that partners may name."
