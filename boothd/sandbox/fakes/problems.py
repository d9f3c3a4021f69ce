"""Errors that a fake service answers with."""

from boothd.sandbox.fakes.script import CALM, Words


class Problem(Exception):
    """An error that the service answers with; each fake writes it in its own form.

    kind: the service's own name for it. words: of the script that asked for it."""

    def __init__(self, status: int, message: str = "", kind: str = "", words: Words = CALM) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.words = status, message, kind, words

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        after = self.words.text("retry-after")
        return (("retry-after", after),) if after else ()


class KeyProblem(Problem):
    """A key that is missing or is not known."""

    def __init__(self, *, missing: bool) -> None:
        super().__init__(401)
        self.missing = missing
