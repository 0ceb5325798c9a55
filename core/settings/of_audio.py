"""The variables of the bucket that kept sound is moved into, an S3-compatible service's."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from core.settings import parsing as accept
from core.settings.parsing import InvalidError, Parsed
from core.settings.variable import FILES, Variable
from core.words import N_, Words

REGION = "us-east-1"
# What is signed is the path as it is written: nothing in it may be written in two ways.
_PATH = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+", re.ASCII)
_KEY_ID = re.compile(r"[!-+\-.0-~]{1,128}", re.ASCII)  # it stands in a header before / and ,
_REGION = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)


def variables() -> Iterator[Variable]:
    """Yield them. The key's names are those that other programs know it by, too."""
    yield Variable(
        "AUDIO_BUCKET",
        "audio_bucket",
        FILES,
        N_(
            "The S3-compatible bucket that kept sound is moved into, or a folder of it: the "
            "service's address and the bucket's name. Several servers then play all of it."
        ),
        N_("sound stays in DATA_DIR"),
        bucket,
        example="https://s3.example.com/meetings",
    )
    yield Variable(
        "AWS_ACCESS_KEY_ID",
        "aws_access_key_id",
        FILES,
        N_("The id of a key that may put, get and delete objects there."),
        N_("no bucket is used"),
        key_id,
        example="AKIDEXAMPLE",
    )
    yield Variable(
        "AWS_SECRET_ACCESS_KEY",
        "aws_secret_access_key",
        FILES,
        N_("The secret of that key."),
        N_("no bucket is used"),
        secret=True,
    )
    yield Variable(
        "AWS_REGION",
        "aws_region",
        FILES,
        N_("The bucket's region; services without regions take any, or `auto`."),
        REGION,
        region,
        example="eu-central-1",
    )


def bucket(value: str) -> Parsed:
    """Accept a bucket's address, and write its host as clients do: what is signed must be sent."""
    found, warning = accept.url("https", "http")(value)
    parts = urlsplit(found)
    if not _PATH.fullmatch(parts.path) or parts.query or parts.fragment or not found.isascii():
        raise InvalidError(
            N_(
                "must name a bucket behind its service, such as https://s3.example.com/bucket, of"
                " letters, digits and . _ - alone"
            )
        )
    usual = {"https": ":443", "http": ":80"}[parts.scheme]
    host = parts.netloc.lower().removesuffix(usual)
    return f"{parts.scheme}://{host}{parts.path}", warning


def key_id(value: str) -> Parsed:
    """Accept what a key may be called."""
    if not _KEY_ID.fullmatch(value):
        raise InvalidError(
            N_("must be 1 to 128 letters, digits and signs, without spaces, commas and slashes")
        )
    return value, None


def region(value: str) -> Parsed:
    """Accept what a region may be called."""
    if not _REGION.fullmatch(value):
        raise InvalidError(N_("must be small letters, digits and -, such as eu-central-1"))
    return value, None


def lacking(given: Collection[str]) -> Iterator[tuple[str, Words]]:
    """Yield what a bucket lacks: a field, and why it is needed.

    A key without a bucket is no half of anything: other programs know it by these names.
    """
    if "audio_bucket" not in given:
        return
    for field in ("aws_access_key_id", "aws_secret_access_key"):
        if field not in given:
            yield field, Words(N_("needed beside %(name)s"), name="AUDIO_BUCKET")
