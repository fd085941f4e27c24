"""What only those who release know, the repository's address: into the metadata, and into the links of the README.

A package index shows the README on a page with no folder beside it, so that a relative link leads nowhere and a picture
stays empty. ``EVALKIT_REPOSITORY``, or what GitHub's own runners tell, makes them absolute. Without an address they are
left out rather than guessed: the words of a link stay, a picture goes.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE = re.compile(r"(?P<mark>!?)\[(?P<words>[^\]]*)\]\((?!https?:|#)(?P<place>[^)\s]+)\)")


class Addresses(MetadataHookInterface):
    """The hook that hatchling finds in this file."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the README as an index shows it, and links where there is an address to link to."""
        address = repository(os.environ)
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": readme(text, address)}
        if address:
            metadata["urls"] = {
                "Source": address,
                "Documentation": f"{address}/tree/HEAD/docs",
                "Changelog": f"{address}/blob/HEAD/CHANGELOG.md",
                "Issues": f"{address}/issues",
            }


def repository(environment: os._Environ[str] | dict[str, str]) -> str:
    """The address of the repository that is released, or nothing.

    Raises:
        ValueError: It is no https address, or there is a name or a password in it.
    """
    address = environment.get("EVALKIT_REPOSITORY", "")
    if not address and (name := environment.get("GITHUB_REPOSITORY")):
        address = f"{environment.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}"
    parts = urlsplit(address)
    if address and (parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query):
        raise ValueError("EVALKIT_REPOSITORY: write it like https://host/owner/name, without a name or password")
    return address.rstrip("/")


def readme(text: str, address: str) -> str:
    """The README for a page of an index: relative links are absolute under ``address``, or gone without one."""

    def absolute(link: re.Match[str]) -> str:
        if not address:
            return "" if link["mark"] else link["words"]
        kind = "raw" if link["mark"] else "blob"
        return f"{link['mark']}[{link['words']}]({address}/{kind}/HEAD/{link['place']})"

    return re.sub(r"\n{3,}", "\n\n", _RELATIVE.sub(absolute, text))
