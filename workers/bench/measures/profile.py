"""``profile``: where a process of the gateway spends its time under full load, function by function of ours."""

import asyncio
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from workers.bench.figures import Row, Table, report
from workers.bench.measures.commands import CommandsPlan
from workers.bench.plan import Say, stage
from workers.bench.scene import Scene
from workers.bench.talk import Broken

SAMPLER = "py-spy"
#: Samples a second; seconds of load before and after, so that every sample is of full load.
RATE, AROUND = 200, 1.0
#: Functions that are shown; not those through which a process came to its work, which are on every stack.
MOST = 30
WAY_IN = {f"workers/{name}.py" for name in ("__main__", "main", "up", "supervisor", "forks", "process")}

#: A frame as the sampler writes it: ``function (…/gateway/store/store.py:12)``.
_OURS = re.compile(r"(?P<function>\S+) \((?:\S*/)?(?P<file>(?:ocpi|ocpp_bridge|gateway|workers)/[\w/]+\.py)(?::\d+)?\)")


@dataclass(frozen=True, kw_only=True)
class ProfilePlan(CommandsPlan):
    """``seconds`` of samples."""

    rounds: int = 1
    seconds: float = 10.0
    process: str = "worker-1"

    @property
    def load_seconds(self) -> float:
        return self.seconds + 2 * AROUND

    def named(self, benchmark: str) -> str:
        return super().named(f"{benchmark}-{self.process}")


QUICK = ProfilePlan(seconds=1.0, stations=4, in_flight=2, quick=True)


async def run(plan: ProfilePlan, say: Say) -> dict[str, Any]:
    """Raises Broken when there is nothing to sample with."""
    sampler = shutil.which(SAMPLER)
    if sampler is None:
        raise Broken(f"{SAMPLER} is needed, and not on PATH: install it with pip.")
    async with stage(plan, say) as at:
        say("starting the gateway")
        side = await at.side(await at.gateway(Scene(plan.stations)), plan.stations)
        pids = side.server.pids()
        if plan.process not in pids:
            raise Broken(f"The gateway has no process {plan.process}, but {', '.join(sorted(pids))}.")
        await side.warm_up(plan.in_flight, plan.seconds)
        say(f"sampling {plan.process} for {plan.seconds:g} s")
        loading = asyncio.create_task(side.run(seconds=plan.seconds + 2 * AROUND, in_flight=plan.in_flight))
        try:
            await asyncio.sleep(AROUND)
            stacks = await _sampled(sampler, pids[plan.process], plan.seconds)
            await loading
        finally:
            loading.cancel()
        shares = inclusive(stacks)
        table = Table(
            f"{plan.process} under full load: samples that have a function of ours anywhere on the stack",
            (plan.process,),
            tuple(Row(name, (name,), "%") for name in shares),
        )
        return report(table, {name: [share] for name, share in shares.items()}, side.faults, at.told(plan))


async def _sampled(sampler: str, pid: int, seconds: float) -> list[str]:
    """Lines of ``frame;frame;… count``; a sample is a thread that runs Python, and not one that waits."""
    words = ["record", "--pid", str(pid), "--duration", str(max(1, round(seconds))), "--rate", str(RATE)]
    words += ["--gil", "--format", "raw", "--full-filenames", "--output", "/dev/stdout"]
    process = await asyncio.create_subprocess_exec(sampler, *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    try:
        out, problem = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise Broken(f"{SAMPLER} could not sample: {problem.decode(errors='replace').strip()[-500:]}")
    return [line for line in out.decode(errors="replace").splitlines() if line.rpartition(" ")[2].isdigit()]


def inclusive(stacks: Iterable[str]) -> dict[str, float]:
    """``{"gateway/store/store.py write": percent}``, the most first: a function counts once in a sample."""
    seen, samples = Counter[str](), 0
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        samples += int(count)
        ours = [found.groupdict() for frame in stack.split(";") if (found := _OURS.fullmatch(frame))]
        for name in {f"{one['file']} {one['function']}" for one in ours if one["file"] not in WAY_IN}:
            seen[name] += int(count)
    return {name: 100 * count / samples for name, count in seen.most_common(MOST)}
