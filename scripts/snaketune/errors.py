"""Errors that a user can mend: one message, no traceback."""

TEMPORARY = 75
"""Exit code EX_TEMPFAIL: the same command may go through elsewhere or later."""


class UserError(Exception):
    """Something the user can put right; the message names the file, line or key and the mend.

    `exit_code` is the status of the process that ends with it: 1, or TEMPORARY where the same
    command may go through elsewhere or later, as with a missing GPU.
    """

    def __init__(self, message: str, exit_code: int = 1):
        super().__init__(message)
        self.exit_code = exit_code
