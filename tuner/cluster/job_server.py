"""A cluster's job server, which may hang at any moment: it answers within a bound, or is given up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

ANSWER_S = 30.0
"""A job server answers each request within that, or is given up."""
SILENT_S = 30.0
"""A job may say nothing for longer: then its server is asked whether it still answers."""


def connected(url: str | None = None) -> JobSubmissionClient:
    """A client of the job server at a URL, or of this machine's.

    Raises:
        Exception: nothing answers, or something else; requests that time out later are an OSError.
    """
    from ray.job_submission import JobSubmissionClient

    class Bounded(JobSubmissionClient):  # type: ignore[misc]
        def _do_request(self, *arguments: Any, **options: Any) -> Any:
            return super()._do_request(*arguments, **{"timeout": ANSWER_S, **options})

    return Bounded(url)


async def tail(client: JobSubmissionClient, job: str) -> AsyncGenerator[str, None]:
    """What a job prints, until it has ended; to be closed by who leaves before (`contextlib.aclosing`).

    Raises:
        RuntimeError: the connection broke off.
        OSError: the job server does not answer any more.
    """
    async with contextlib.aclosing(client.tail_job_logs(job)) as texts:
        was_over = False
        heard = asyncio.ensure_future(anext(texts, None))
        try:
            while True:
                if (await asyncio.wait({heard}, timeout=SILENT_S))[0]:
                    if (text := heard.result()) is None:
                        return
                    yield text
                    heard = asyncio.ensure_future(anext(texts, None))
                    continue
                is_over = client.get_job_info(job).status.is_terminal()
                if is_over and was_over:  # its last words have had their time
                    return
                was_over = is_over
        finally:
            heard.cancel()
            await asyncio.wait({heard})
