"""The headers that limit what a browser does with an answer of ours, whatever it is."""

from __future__ import annotations

# For an answer that is only text: nothing may be loaded, and no page may show it.
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


# Addresses that open what they name to whoever has them.
OPEN = "/shared/"


def security_headers(policy: str, path: str = "", *, https: bool) -> list[tuple[str, str]]:
    """Return the headers of every answer at a path, with its Content-Security-Policy."""
    is_open = path.startswith(OPEN)
    headers = [
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        # A link is a key to its session: it is told to no other site.
        ("Referrer-Policy", "no-referrer" if is_open else "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        (
            "Permissions-Policy",
            "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
        ),
    ]
    if is_open:
        headers.append(("X-Robots-Tag", "noindex, nofollow, noarchive"))
    if https:
        headers.append(("Strict-Transport-Security", "max-age=31536000"))
    return headers
