"""Keys of endpoints, from the environment and from nowhere else."""

import os
from collections.abc import Mapping

from snaketune.config.services import Endpoint
from snaketune.errors import UserError


def read_key(name: str, endpoint: Endpoint) -> str | None:
    """The endpoint's key, from the environment; None where it asks for none.

    Raises:
        UserError: the variable is missing, or cannot be a key; its value is not shown.
    """
    variable = endpoint.api_key_env
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise UserError(
            f"endpoint {name}: the environment variable {variable} is not set; it holds the key."
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UserError(
            f"endpoint {name}: the environment variable {variable} holds no key: there are blanks "
            "or other characters in it that no key has."
        )
    return key


def faults_of_keys(endpoints: Mapping[str, Endpoint]) -> dict[str, str]:
    """By name of the endpoint, what is wrong with its key's variable, where something is."""
    faults = {}
    for name, endpoint in endpoints.items():
        try:
            read_key(name, endpoint)
        except UserError as error:
            faults[name] = str(error)
    return faults
