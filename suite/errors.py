"""The one class of errors that a user can mend; the command line shows it without a traceback."""


class UserError(Exception):
    """A message for the user: the thing, the value, the expectation and the way out.

    ``code`` is the exit code of the command: 2 for usage and bad input, 1 for a unit, fetch or check that failed.
    """

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code
