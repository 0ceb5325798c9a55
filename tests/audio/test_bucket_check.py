"""The emulated bucket knows who asks, and `check` says what is wrong with one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from core import checks
from core.audio.bucket import BucketKey, signature
from core.checks import CHECKS, Outcome
from core.settings import FindingsError, Settings, load
from tests.audio.test_bucket import AT, REQUESTS, SECRET
from tests.emulators import s3
from tests.ops.test_settings import READY
from tests.support.app_server import free_port


@pytest.fixture
def bucket() -> Iterator[s3.S3]:
    with s3.S3() as running:
        yield running


@pytest.mark.parametrize(("method", "url", "body", "region", "proof"), REQUESTS)
def test_the_emulator_accepts_what_botocore_signs_and_nothing_else(
    method: str, url: str, body: bytes, region: str, proof: str
) -> None:
    """By the signatures in test_bucket.py, which botocore has made."""
    parts, day = urlsplit(url), AT.strftime("%Y%m%d")
    named = "host;x-amz-content-sha256;x-amz-date"
    who = f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{day}/{region}/s3/aws4_request"
    headers = {
        "host": parts.netloc,
        "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-amz-date": AT.strftime("%Y%m%dT%H%M%SZ"),
        "authorization": f"{who}, SignedHeaders={named}, Signature={proof}",
    }
    right = s3.Asked(method, parts.path, headers, body)
    keys = {"AKIDEXAMPLE": SECRET}
    s3.check(right, keys, region, AT)

    def refusal(asked: s3.Asked, at: datetime = AT, keys: dict[str, str] = keys) -> str:
        with pytest.raises(s3.RefusedError) as refused:
            s3.check(asked, keys, region, at)
        return refused.value.code

    mismatch = "SignatureDoesNotMatch"
    assert refusal(replace(right, method="POST")) == mismatch
    assert refusal(replace(right, target=parts.path + "x")) == mismatch
    assert refusal(replace(right, target=parts.path + "?acl=")) == mismatch
    assert refusal(replace(right, headers=headers | {"host": "other.example.com"})) == mismatch
    assert refusal(replace(right, body=body + b"x")) == "XAmzContentSHA256Mismatch"
    assert refusal(replace(right, headers=headers | {"x-amz-acl": "public"})) == "AccessDenied"
    assert refusal(right, AT + timedelta(minutes=16)) == "RequestTimeTooSkewed"
    assert refusal(right, keys={"AKIDEXAMPLE": SECRET + "x"}) == mismatch
    assert refusal(right, keys={}) == "InvalidAccessKeyId"
    del headers["authorization"]
    assert refusal(right) == "AccessDenied"


def told(bucket: s3.S3, **others: str) -> Settings:
    return load(bucket.settings | others)


async def looked(settings: Settings) -> Outcome:
    [check] = [one for one in CHECKS if one.name == "sound"]
    [outcome] = await checks.run(settings, checks=(check,))
    assert s3.SECRET not in repr(outcome) + repr(settings)
    return outcome


async def refused(settings: Settings, what: str, todo: str) -> None:
    outcome = await looked(settings)
    assert outcome.state == "failed"
    assert what in outcome.what
    assert todo in (outcome.todo or "")
    assert "waits in DATA_DIR" in (outcome.why or "")


async def test_a_bucket_that_can_be_used_is_told_and_nothing_is_left_there(bucket: s3.S3) -> None:
    assert (await looked(told(bucket))).state == "ok"
    assert [(method, status) for method, _, status in bucket.answered] == [
        ("PUT", 200),
        ("GET", 206),
        ("DELETE", 204),
    ]
    assert not bucket.objects
    assert (await looked(Settings())).state == "skipped"


async def test_what_is_wrong_with_a_bucket_is_told(bucket: s3.S3) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/meetings"
    await refused(told(bucket, AUDIO_BUCKET=nowhere), "nothing listens at", "AUDIO_BUCKET")
    other = bucket.url.replace("/meetings", "/others")
    await refused(told(bucket, AUDIO_BUCKET=other), f"no bucket at {other}", "AUDIO_BUCKET")
    copy = "Copy AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY anew"
    wrong, unknown = told(bucket, AWS_SECRET_ACCESS_KEY="x"), told(bucket, AWS_ACCESS_KEY_ID="x")
    await refused(wrong, "refuses the key (SignatureDoesNotMatch)", copy)
    await refused(unknown, "refuses the key (InvalidAccessKeyId)", copy)
    await refused(told(bucket, AWS_REGION="eu-west-9"), "isn't in the region eu-west-9", "REGION")
    bucket.ahead = timedelta(minutes=-20)
    await refused(told(bucket), "the clocks differ", "NTP")
    bucket.ahead = timedelta(0)
    for method in ("DELETE", "GET", "PUT"):
        bucket.denied, bucket.objects = {method}, {}
        await refused(told(bucket), f"may not {method.lower()} objects", "put, get and delete")
        assert bool(bucket.objects) == (method == "DELETE")


def test_half_a_bucket_is_refused() -> None:
    whole = {
        "AUDIO_BUCKET": "https://S3.example.com:443/meetings/sound/",
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
    }
    settings = load(READY | whole)
    assert settings.audio_bucket == "https://s3.example.com/meetings/sound"
    assert "hunter2" not in repr(settings)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        half = {one: value for one, value in whole.items() if one != name}
        for environ in (half, READY | half):
            with pytest.raises(FindingsError, match=f"missing +{name}: needed beside AUDIO_BUCKET"):
                load(environ)
    load({"AWS_ACCESS_KEY_ID": "AKID"})  # other programs' may be there
    for odd in (
        "https://s3.example.com",
        "https://s3.example.com/a/../b",
        "s3://meetings",
        "ftp://h/b",
    ):
        with pytest.raises(FindingsError, match="AUDIO_BUCKET"):
            load(whole | {"AUDIO_BUCKET": odd})
    for odd in ("https://s3.example.com/b?x=1", "https://s3.example.com/b%20c", "https://a:b@h/b"):
        with pytest.raises(FindingsError, match="AUDIO_BUCKET"):
            load(whole | {"AUDIO_BUCKET": odd})
    with pytest.raises(FindingsError, match="travel in clear"):
        load(READY | whole | {"AUDIO_BUCKET": "http://minio:9000/meetings"})
    load(READY | whole | {"AUDIO_BUCKET": "http://127.0.0.1:9000/meetings"})
    for name, odd in (("AWS_REGION", "eu west"), ("AWS_ACCESS_KEY_ID", "a/b")):
        with pytest.raises(FindingsError, match=name):
            load(whole | {name: odd})


def test_our_own_signatures_are_accepted() -> None:
    key = BucketKey("id", "secret", "auto")
    now = datetime.now(UTC)
    signed = signature("DELETE", "https://h.example/meetings/a/b.opus", s3_digest(b""), key, now)
    headers = {"host": "h.example", **signed}
    s3.check(s3.Asked("DELETE", "/meetings/a/b.opus", headers, b""), {"id": "secret"}, "auto", now)


def s3_digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
