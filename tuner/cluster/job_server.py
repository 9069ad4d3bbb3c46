"""The job server of a cluster, which may hang at any moment: requests have a time limit."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

ANSWER_S = 30.0
"""The time limit of a request."""
SILENT_S = 30.0
"""After so long without output of a job, its server is asked whether it still answers."""


def connected(url: str | None = None) -> JobSubmissionClient:
    """A client of the job server at a URL, or of the one on this machine.

    Raises:
        Exception: no job server answers; later requests that time out raise OSError.
    """
    from ray.job_submission import JobSubmissionClient

    class Bounded(JobSubmissionClient):  # type: ignore[misc]
        def _do_request(self, *arguments: Any, **options: Any) -> Any:
            return super()._do_request(*arguments, **{"timeout": ANSWER_S, **options})

    return Bounded(url)


async def tail(client: JobSubmissionClient, job: str) -> AsyncGenerator[str, None]:
    """What a job prints until it ends; close it to leave earlier (`contextlib.aclosing`).

    Raises:
        RuntimeError: the connection broke.
        OSError: the job server no longer answers.
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
                if is_over and was_over:  # its last output has had its time
                    return
                was_over = is_over
        finally:
            heard.cancel()
            await asyncio.wait({heard})
