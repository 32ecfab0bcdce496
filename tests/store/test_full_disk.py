"""A disk that is full in the middle of a group commit: nobody is told that something was done which was not."""

import asyncio
import threading

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import OperationalError

from gateway.each import each
from gateway.store import rows, schema
from gateway.store.engine import open_engine
from gateway.store.statements import take_number
from gateway.store.store import Store


async def test_a_chore_that_finds_the_disk_full_undoes_nobody_else_s_work(tmp_path) -> None:
    engine: Engine = open_engine(f"sqlite:///{tmp_path / 'x.db'}")
    schema.upgrade(engine)
    store, gate = Store(engine), threading.Event()

    def chore(db: Connection) -> list[None]:
        pages = db.exec_driver_sql("PRAGMA page_count").scalar_one()
        db.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        row = {"name": "N" * 200_000, "value": 1}
        return each(db, "too much", [1, 2], lambda _: db.execute(rows.sequence.insert().values(row)) and None)

    # Both wait for the first, and so are one commit.
    together = [store.write(lambda db: gate.wait(5)), store.write(take_number, "mine"), store.write(chore)]
    waiting = asyncio.gather(*together, return_exceptions=True)
    await asyncio.sleep(0.2)
    gate.set()
    _, mine, full = await waiting
    assert isinstance(full, OperationalError)
    assert mine == 1
    kept = await store.read(lambda db: db.execute(select(rows.sequence.c.value)).scalars().all())
    assert list(kept) == [1]
    store.close()
    with engine.begin() as db:
        db.execute(text("PRAGMA max_page_count=1073741823"))
    engine.dispose()
