"""What our hooks add to a view that does nothing: telemetry, errors, validation and the rules of HTTP."""

import os
from pathlib import Path

from benchmarks.load import Request
from benchmarks.servers import Context, Process
from benchmarks.table import Row

CONNECTIONS = 8
ROUNDS = 5
SECONDS = 2.0
WARM_UP_SECONDS = 1.0

VIEWS = {"GET": Request("GET", "/ready/2"), "POST": Request("POST", "/", body="{}")}
STATUSES = (200, 201)


async def run(context: Context) -> None:
    """Compare the processor time of a request: other work on the machine changes it less than the rate."""
    async with context.bare() as without, context.bare(hooks=True) as with_hooks:
        for name, view in VIEWS.items():
            for process in (without, with_hooks):
                await context.load(process.url, [view], connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
            ratios = []
            for _ in range(ROUNDS):
                base = await processor_microseconds(context, without, view)
                ours = await processor_microseconds(context, with_hooks, view)
                ratios.append((ours / base, ours, base))
            _, ours, base = sorted(ratios)[ROUNDS // 2]
            context.add_row(
                Row(
                    f"an empty {name} with our hooks",
                    ours,
                    base,
                    "us",
                    f"the same view without them; processor time of a request, median of {ROUNDS}",
                    target="<= 1.25",
                )
            )


async def processor_microseconds(context: Context, process: Process, view: Request) -> float:
    """The processor time that the server spends on one request."""
    before = processor_seconds(process.pid)
    result = await context.load(process.url, [view], connections=CONNECTIONS, seconds=SECONDS)
    spent = processor_seconds(process.pid) - before
    return spent / result.require(*STATUSES).requests * 1e6


def processor_seconds(pid: int) -> float:
    """The processor time of a process so far, its own and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
