"""Whose accounts may sign in here: any, or those that the operator names, who pays for all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accounts:
    """E-mail addresses and domains whose accounts may sign in; with neither, all may."""

    emails: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()

    @property
    def any(self) -> bool:
        """Whether every account may."""
        return not (self.emails or self.domains)

    def allow(self, email: str, hosted_domain: object = None) -> bool:
        """Whether the account with this verified address may sign in.

        `hosted_domain` is Google's claim `hd`: the organisation that an account of Google Workspace
        belongs to, whose administrator gives it addresses. So it must be allowed, too.
        """
        email = email.lower()
        if self.any or email in self.emails:
            return True
        organisation_ok = hosted_domain is None or str(hosted_domain).lower() in self.domains
        _, at, domain = email.rpartition("@")
        return bool(at) and domain in self.domains and organisation_ok
