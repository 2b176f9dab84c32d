"""Doctor: questions about the ground that releases stand on, each answered by diagnoses with their remedies.

Comes in: questions, each with a way to ask and a pure judge of the facts. Goes out: diagnoses, in the order of the
questions. All are asked at once, and one that cannot be answered hides no other: it is a diagnosis of its own, "could
not ask", which is never fine. Nothing here asks by itself, and nothing changes anything.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from releasectl.errors import ControllerError, Retry
from releasectl.plain_text import plain

AT_ONCE = 8  # questions; most of each is waiting for an answer


class Severity(StrEnum):
    """What a diagnosis means for whoever wants to release."""

    PROBLEM = "problem"  # a release would fail, or would not be safe
    WARNING = "warning"  # it would work, and somebody should know
    UNKNOWN = "could not ask"
    FINE = "fine"


@dataclass(frozen=True)
class Diagnosis:
    """What is so, about what; the remedy starts with a verb and is "" where all is fine."""

    severity: Severity
    rule: str
    where: str
    message: str
    remedy: str = ""
    error: str = ""  # the class of what kept us from an answer

    def __str__(self) -> str:
        remedy = f"\n    {self.remedy}" if self.remedy else ""
        return plain(f"{self.severity:13}  {self.rule}, {self.where}: {self.message}{remedy}")


@dataclass(frozen=True)
class Subject:
    """What diagnoses are about: the rule that they go by, and the environment or thing."""

    rule: str
    where: str

    def problem(self, message: str, remedy: str) -> Diagnosis:
        """Has to be mended."""
        return Diagnosis(Severity.PROBLEM, self.rule, self.where, message, remedy)

    def warning(self, message: str, remedy: str) -> Diagnosis:
        """Has to be known."""
        return Diagnosis(Severity.WARNING, self.rule, self.where, message, remedy)

    def unknown(self, message: str, remedy: str) -> Diagnosis:
        """Nobody could say."""
        return Diagnosis(Severity.UNKNOWN, self.rule, self.where, message, remedy)

    def fine(self, message: str) -> Diagnosis:
        """Is as it should be."""
        return Diagnosis(Severity.FINE, self.rule, self.where, message)


@dataclass(frozen=True)
class Question:
    """One thing to find out: `ask` may raise ControllerError, `judge`, which gets what `ask` gave, may not.

    `must`: nothing works without it, so an error that does not pass by itself is a problem, not only no answer.
    """

    subject: Subject
    ask: Callable[[], object]
    judge: Callable[[Subject, Any], Iterable[Diagnosis]]
    must: bool = False

    def answer(self) -> tuple[Diagnosis, ...]:
        """What the facts mean, or that there are none."""
        try:
            facts = self.ask()
        except ControllerError as error:
            stays = self.must and error.retry is not Retry.BACKOFF
            severity = Severity.PROBLEM if stays else Severity.UNKNOWN
            about = self.subject
            said = error.message.rstrip(" :")  # some causes are empty
            return (Diagnosis(severity, about.rule, about.where, said, error.remedy, type(error).__name__),)
        return tuple(self.judge(self.subject, facts))


def known(subject: Subject, facts: object, judge: Callable[[Subject, Any], Iterable[Diagnosis]]) -> Question:
    """A question whose facts nobody has to be asked for."""
    return Question(subject, lambda: facts, judge)


def examine(questions: Sequence[Question]) -> tuple[Diagnosis, ...]:
    """Every diagnosis, in the order of the questions."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return _together(one for answer in pool.map(Question.answer, questions) for one in answer)


def _together(diagnoses: Iterable[Diagnosis]) -> tuple[Diagnosis, ...]:
    """What is so in the same words in several places is said once: environments often share an account."""
    places: dict[Diagnosis, list[str]] = {}
    for one in diagnoses:
        found = places.setdefault(replace(one, where=""), [])
        if one.where not in found:
            found.append(one.where)
    return tuple(replace(said, where=", ".join(found)) for said, found in places.items())


def exit_code(diagnoses: Iterable[Diagnosis]) -> int:
    """1 for a problem. What could not be asked is shown, and is no reason to fail alone."""
    return int(any(one.severity is Severity.PROBLEM for one in diagnoses))


def text(diagnoses: Sequence[Diagnosis]) -> str:
    """For people: the worst first, and a sum at the end."""
    order = list(Severity)
    told = sorted(diagnoses, key=lambda one: order.index(one.severity))
    counts = {severity: sum(one.severity is severity for one in told) for severity in order}
    total = ", ".join(f"{count} {severity}" for severity, count in counts.items())
    return "\n".join([*map(str, told), f"{len(told)} looked at: {total}"])


def as_json(diagnoses: Sequence[Diagnosis]) -> dict[str, object]:
    """For programs."""
    return {"ok": not exit_code(diagnoses), "findings": [asdict(one) for one in diagnoses]}
