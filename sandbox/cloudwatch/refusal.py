"""An answer of the API that is an error.

Comes in: the code that clients see, AWS's wording, the HTTP status. It is raised by whatever finds the request wrong
and answered by `api`; nothing was changed before it.
"""


class Refusal(Exception):
    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> Refusal:
    return Refusal("ValidationError", message)


def not_found(message: str) -> Refusal:
    return Refusal("ResourceNotFound", message, 404)
