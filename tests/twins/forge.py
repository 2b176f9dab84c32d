"""The forge's page of deployments in memory."""

from dataclasses import dataclass, field, replace

from releasectl.errors import ControllerError
from releasectl.forge import Shown


@dataclass
class Mirror:
    """What is shown, by environment; `told` is every status that was written, `asked` how often anything was asked."""

    shown: dict[int, Shown] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)  # key, state
    faults: list[ControllerError | None] = field(default_factory=list)
    asked: int = 0

    def newest(self, environment: str) -> Shown | None:
        self._asked()
        mine = [number for number, place in self.places.items() if place == environment]
        return self.shown[max(mine)] if mine else None

    def open(self, environment: str, commit: str, *, key: str, description: str = "") -> int:
        self._asked()
        assert (bool(commit), len(description) <= 140) == (True, True)
        there = [one.id for one in self.shown.values() if (one.key, self.places[one.id]) == (key, environment)]
        number = there[0] if there else len(self.shown) + 1
        self.shown.setdefault(number, Shown(number, key))
        self.places[number] = environment
        return number

    def tell(self, deployment: int, state: str, *, url: str = "", log: str = "", description: str = "") -> None:
        self._asked()
        before = self.shown[deployment]
        now = replace(before, state=state, url=url, log=log, description=description)
        if now != before:
            self.shown[deployment] = now
            self.told.append((before.key, state))

    def _asked(self) -> None:
        self.asked += 1
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise fault
