"""Our signatures are those that AWS's own botocore 1.44.8 makes of the same requests."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from core.audio.bucket import BucketKey, signature

AT = datetime(2026, 11, 28, 13, 5, 9, tzinfo=UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REQUESTS = [
    (
        "PUT",
        "https://s3.eu-central-1.amazonaws.com/meetings/5f0c/9e1b.opus",
        b"OggS sound",
        "eu-central-1",
        "52e4c6208d2be1104e37669c87b1a81f6bae28fa929b8e28552df6e0911ec1f4",
    ),
    (
        "GET",
        "http://127.0.0.1:9000/meetings/sub-folder/5f0c/9e1b.opus",
        b"",
        "us-east-1",
        "f3ad5a1145746e4356931f55387522c1f882e95a53f1e5869ebe6104997e2348",
    ),
    (
        "DELETE",
        "https://storage.example.com/meetings/a_b~c/9e1b.opus",
        b"",
        "auto",
        "5dbe5c24f319433f3e086e8b3297b968e5244e590cb73de61cb33b72e9b6b4df",
    ),
]


@pytest.mark.parametrize(("method", "url", "body", "region", "proof"), REQUESTS)
def test_signatures(method: str, url: str, body: bytes, region: str, proof: str) -> None:
    digest = hashlib.sha256(body).hexdigest()
    headers = signature(method, url, digest, BucketKey("AKIDEXAMPLE", SECRET, region), AT)
    assert headers["authorization"].endswith(f"Signature={proof}")
    assert headers["x-amz-date"] == "20261128T130509Z"
    assert SECRET not in str(headers) + repr(BucketKey("AKIDEXAMPLE", SECRET, region))
