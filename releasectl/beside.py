"""Beside: work that no release waits for, done in order by one thread of its own.

Comes in: jobs, any time. Goes out: what they do; what goes wrong in one is said as progress and stops nothing. A
release never waits for it: whoever is done with everything else may, for a limited time, and then leaves it behind.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event, Thread

from releasectl.errors import ControllerError

Job = Callable[[], None]


@dataclass(frozen=True)
class Beside:
    """One thread, which begins with the first job and ends with the process."""

    say: Callable[[str], None]
    _jobs: "SimpleQueue[Job]" = field(default_factory=SimpleQueue)
    _threads: list[Thread] = field(default_factory=list)

    def later(self, job: Job) -> None:
        """Do it after all that came before."""
        self._jobs.put(job)
        if not self._threads:
            self._threads.append(Thread(target=self._work, name="beside", daemon=True))
            self._threads[0].start()

    def wait(self, seconds: float) -> bool:
        """Is all of it done within so many seconds?"""
        if not self._threads:
            return True
        done = Event()
        self.later(done.set)
        return done.wait(seconds)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            except ControllerError as error:
                self.say(error.message)
            except Exception as error:  # noqa: BLE001 - a mistake in what is only shown must not end what is shown
                self.say(f"beside the release: {type(error).__name__}: {error}")
