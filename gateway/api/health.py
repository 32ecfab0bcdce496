"""Health: is this process alive, and can it do its work."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.api.callers import office_of


def router() -> APIRouter:
    made = APIRouter(prefix="/health", include_in_schema=False)

    @made.get("/live")
    async def live() -> Response:
        return JSONResponse({"status": "ok"})

    @made.get("/ready")
    async def ready(request: Request) -> Response:
        office = office_of(request)
        problems = {}
        try:
            await office.store.read(_select_one)
        except SQLAlchemyError as problem:
            problems["database"] = type(problem).__name__
        try:
            await office.redis.ping()
        except (RedisError, OSError) as problem:
            problems["redis"] = type(problem).__name__
        status = "unavailable" if problems else "ok"
        return JSONResponse({"status": status, **problems}, status_code=503 if problems else 200)

    return made


def _select_one(db: Connection) -> None:
    db.execute(select(1))
