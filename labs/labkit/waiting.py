"""Async code from a cell: a thread and a loop of its own, bounded in time.

Top-level await would be shorter, but it is no valid Python outside a notebook, and with
ipykernel 7.4.0 an ExceptionGroup in such a cell can hang the notebook.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T], seconds: float = 20) -> T:
    """Run `coroutine` to its end and return its result.

    Raises what it raises (of an ExceptionGroup, the first error inside), and TimeoutError
    after `seconds`.
    """
    done: list[T] = []
    failed: list[BaseException] = []

    async def bounded() -> T:
        try:
            async with asyncio.timeout(seconds) as limit:
                return await coroutine
        except TimeoutError:
            if limit.expired():
                raise TimeoutError(f"the code did not finish within {seconds:g} seconds") from None
            raise

    def work() -> None:
        try:
            done.append(asyncio.run(bounded()))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="labkit.run", daemon=True)
    thread.start()
    thread.join(seconds + 1)
    if thread.is_alive():
        raise TimeoutError(f"the code did not give way within {seconds:g} seconds (a loop without await?)")
    if failed:
        raise innermost(failed[0]) from None
    return done[0]


def innermost(error: BaseException) -> BaseException:
    """The first error that is no group, of an ExceptionGroup or of groups in groups; any other error is itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
