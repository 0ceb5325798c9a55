"""Settings: each variable is declared once; everything shown about it comes from there."""

from core.settings.advice import TRUSTED_PROXIES, advice
from core.settings.env_file import read_env_file
from core.settings.environment import (
    Environment,
    Finding,
    FindingsError,
    SettingsError,
    checklist,
    load,
    local_secret,
    render_checklist,
    would_start,
)
from core.settings.values import Settings, is_loopback
from core.settings.variables import VARIABLES, Variable

__all__ = [
    "TRUSTED_PROXIES",
    "VARIABLES",
    "Environment",
    "Finding",
    "FindingsError",
    "Settings",
    "SettingsError",
    "Variable",
    "advice",
    "checklist",
    "is_loopback",
    "load",
    "local_secret",
    "read_env_file",
    "render_checklist",
    "would_start",
]
