"""A link to sign in by, for whoever may read the box's state folder."""

from __future__ import annotations

from runtime.console.shown import Setup
from tagsight.errors import TagsightError
from web.errors import WebError
from web.security.private_files import read_private
from web.security.sessions import SignInLinks

KEY_FILE = "signing.key"


def sign_in_link(setup: Setup) -> str:
    """A new link, which serves once, for ten minutes. Raises TagsightError before the pages have run."""
    file = setup.folder / KEY_FILE
    try:
        key = read_private(file)
    except WebError as error:
        raise TagsightError(f"{error}; run this as the user that the daemon runs as") from error
    if key is None:
        raise TagsightError(
            f"{file}: not there yet: start the daemon with console.enabled: true in its store.yaml"
        )
    return f"{setup.url()}enter/{SignInLinks(key).make()}"
