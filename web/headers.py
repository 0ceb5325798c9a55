"""The headers that limit what a browser does with an answer of ours, whatever it is."""

from __future__ import annotations

# For an answer that is only text: nothing may be loaded, and no page may show it.
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def security_headers(policy: str, *, https: bool) -> list[tuple[str, str]]:
    """Return the headers of every answer, with its Content-Security-Policy."""
    headers = [
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        # A link is a key to its session: it is told to no other site.
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        (
            "Permissions-Policy",
            "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
        ),
    ]
    if https:
        headers.append(("Strict-Transport-Security", "max-age=31536000"))
    return headers
