"""An answer of one of AWS's APIs that is an error.

Comes in: the code as the service's model names it, and AWS's wording. Goes out: what the wire turns into an error of
that service. A defect of ours is never one.
"""


class Refusal(Exception):
    """`code` is what clients look at, `message` what people read."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
