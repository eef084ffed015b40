"""A finding: what is wrong, where, and how to repair it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the course.

    `where` names the file, with a line or a cell where it can; `problem` says what breaks which
    rule; `repair` is an instruction that a reader can follow without asking.
    """

    where: str
    problem: str
    repair: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem} {self.repair}"


class Unreadable(Exception):
    """A source that breaks its format. Carries every finding, not the first alone."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings
