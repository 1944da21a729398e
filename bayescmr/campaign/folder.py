"""The folder of a campaign: its runs and fits, and nobody else's.

Runs are named by what decides them and fits by their number, so two campaigns in one folder would
take over each other's losses and posteriors.
"""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bayescmr.atomic import whole_folder
from bayescmr.errors import CampaignError

#: Says whose folder it is.
OWNER = "campaign.json"


@contextmanager
def own_folder(folder: Path, name: str, store: str) -> Iterator[None]:
    """Make the folder of a new campaign; given back where the block fails.

    Parameters
    ----------
    folder : Path
        Absolute; absent or empty.
    name : str
        Of the campaign.
    store : str
        That it is kept in.

    Raises
    ------
    CampaignError
        It holds something already, or cannot be made.
    """
    owner = folder / OWNER
    try:
        # Of two that try at once, one wins.
        with whole_folder(folder) as partial:
            text = json.dumps({"campaign": name, "store": store}, ensure_ascii=False)
            (partial / OWNER).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise CampaignError(
                f"folder: {folder}: {_holds(owner)}; runs of two campaigns must not mix: name"
                " another `folder`, or delete that one if it is no longer needed"
            ) from None
        raise CampaignError(
            f"folder: {folder}: cannot be made ({error.strerror or error}); name a `folder` that"
            " may be written to"
        ) from None
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            owner.unlink()
            folder.rmdir()
        raise


def _holds(owner: Path) -> str:
    try:
        found: Any = json.loads(owner.read_text(encoding="utf-8"))
        return f"holds campaign {found['campaign']} of store {found['store']} already"
    except (OSError, ValueError, KeyError, TypeError):
        return "holds files already, expected a folder that is empty or not there yet"
