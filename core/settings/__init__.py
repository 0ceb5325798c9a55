"""Settings: each variable is declared once; everything shown about it comes from there."""

from core.settings.advice import TRUSTED_PROXIES, advice
from core.settings.env_file import read_env_file, read_environment
from core.settings.environment import (
    STATES,
    Environment,
    Finding,
    FindingsError,
    SettingsError,
    as_far_as_valid,
    checklist,
    kept_secret,
    load,
    local_secret,
    render_checklist,
    would_start,
)
from core.settings.providers import Provider
from core.settings.values import Settings, is_loopback
from core.settings.variable import Variable
from core.settings.variables import VARIABLES

__all__ = [
    "STATES",
    "TRUSTED_PROXIES",
    "VARIABLES",
    "Environment",
    "Finding",
    "FindingsError",
    "Provider",
    "Settings",
    "SettingsError",
    "Variable",
    "advice",
    "as_far_as_valid",
    "checklist",
    "is_loopback",
    "kept_secret",
    "load",
    "local_secret",
    "read_env_file",
    "read_environment",
    "render_checklist",
    "would_start",
]
