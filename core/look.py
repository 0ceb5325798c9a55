"""How pages and captions look to somebody: what there is to choose, as codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Of captions over the picture, by the name that the room's page has for the choice; the first of
# each is what counts where nothing was chosen. templates/_partials/caption_look.html has the words.
CAPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "size": ("normal", "small", "large", "huge"),
    "lines": ("4", "1", "2", "3", "6", "8"),
    "colours": ("white", "yellow", "black"),
    "paper": ("clear", "solid", "none"),
}


def captions_in(form: Mapping[str, str]) -> dict[str, str]:
    """Return what a form with fields such as `caption-size` chooses, by name.

    Raises ValueError for a value that is none of a name's.
    """
    chosen = {name: form[f"caption-{name}"] for name in CAPTIONS if f"caption-{name}" in form}
    for name, value in chosen.items():
        if value not in CAPTIONS[name]:
            raise ValueError(name)
    return chosen
