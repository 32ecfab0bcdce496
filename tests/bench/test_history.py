"""What has grown is what the gateway itself would have left: every row, nothing of it in anybody's way."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlmodel import SQLModel

from gateway.store import rows
from gateway.store.engine import open_engine
from workers.bench.databases import Database, databases
from workers.bench.history import HELD, LEFT, At, add_finished, add_live
from workers.bench.scene import Scene
from workers.bench.sides import gateway, loaded

STATIONS, FAR = 3, 8


async def settled(engine: Engine) -> None:
    """What was called back is written down as called back, and the EVSEs' news have been taken."""
    owed = select(func.count()).where(rows.callback.c.state == "DUE").scalar_subquery()
    news = select(func.count()).select_from(rows.location_news).scalar_subquery()
    async with asyncio.timeout(30):
        while True:
            with engine.connect() as db:
                if not db.scalar(select(owed + news)):
                    return
            await asyncio.sleep(0.05)


def counts(engine: Engine) -> Counter[str]:
    with engine.connect() as db:
        tables = SQLModel.metadata.tables.values()
        return Counter({one.name: db.scalar(select(func.count()).select_from(one)) or 0 for one in tables})


def grown(engine: Engine, before: Counter[str]) -> dict[str, int]:
    return {name: many - before[name] for name, many in counts(engine).items() if many != before[name]}


@pytest.mark.parametrize("kind", Database)
async def test_history_is_what_commands_leave(kind: Database, postgres_url: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(databases(kind, postgres_url if kind is Database.POSTGRESQL else ""))
        server = await stack.enter_async_context(gateway(tmp_path / "gateway", Scene(STATIONS + FAR), made))
        side = await stack.enter_async_context(loaded(server, STATIONS))
        engine = open_engine(server.database)
        stack.callback(engine.dispose)
        await side.run(seconds=0, in_flight=1, at_least=2 * STATIONS)
        await settled(engine)
        before = counts(engine)
        await side.run(seconds=0, in_flight=1, at_least=2 * STATIONS)
        await settled(engine)
        usual = grown(engine, before)
        assert set(usual) == {table.name for table in LEFT}
        await side.run(seconds=0, in_flight=1, at_least=1)
        await settled(engine)

        before = counts(engine)
        add_finished(engine, 10 * 2 * STATIONS, At(1, STATIONS))
        assert grown(engine, before) == {name: 10 * many for name, many in usual.items()}

        before = counts(engine)
        add_live(engine, FAR, At(STATIONS + 1, FAR))
        assert grown(engine, before) == dict.fromkeys((table.name for table in (*LEFT, *HELD)), FAR)
        _each_has_its_own(engine)

        told = await side.run(seconds=0, in_flight=STATIONS, at_least=4 * STATIONS)
        assert told.commands >= 4 * STATIONS
        assert told.faults == {}
        await settled(engine)
        with engine.connect() as db:  # nobody has rung for them, called back for them or ended them
            live = db.execute(select(rows.reservation).where(rows.reservation.c.station.in_(_far()))).mappings().all()
            assert {row["state"] for row in live} == {"ACTIVE"}
            assert {row["station"] for row in live} == _far()
            attempts = db.scalar(select(func.count()).select_from(rows.callback_attempt))
            assert attempts == db.scalar(select(func.count()).select_from(rows.callback))


def _far() -> set[str]:
    return {f"BENCH-{number}" for number in range(STATIONS + 1, STATIONS + FAR + 1)}


def _each_has_its_own(engine: Engine) -> None:
    """Texts that no index holds apart, and the places: a reservation's is its station's."""
    with engine.connect() as db:
        held = db.execute(select(rows.reservation)).mappings().all()
        numbers = [row["number"] for row in held]
        assert len(set(numbers)) == len(numbers)
        counted = db.scalar(select(rows.sequence.c.value).where(rows.sequence.c.name == "reservation"))
        assert counted == max(numbers)
        far = [row for row in held if row["station"] in _far()]
        assert len({row["id_token"] for row in far}) == FAR
        of_evse = {row.evse: row.station for row in db.execute(select(rows.binding.c.evse, rows.binding.c.station))}
        assert all(of_evse[row["evse"]] == row["station"] for row in far)
        if engine.dialect.name == "sqlite":
            assert db.exec_driver_sql("PRAGMA foreign_key_check").all() == []
