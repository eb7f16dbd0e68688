"""Time zones by the names that the platform takes: Java's."""

from zoneinfo import ZoneInfo

# The short names of java.time.ZoneId.SHORT_IDS, but for EST, HST and MST, which the tz database has.
_SHORT = {
    "ACT": "Australia/Darwin",
    "AET": "Australia/Sydney",
    "AGT": "America/Argentina/Buenos_Aires",
    "ART": "Africa/Cairo",
    "AST": "America/Anchorage",
    "BET": "America/Sao_Paulo",
    "BST": "Asia/Dhaka",
    "CAT": "Africa/Harare",
    "CNT": "America/St_Johns",
    "CST": "America/Chicago",
    "CTT": "Asia/Shanghai",
    "EAT": "Africa/Addis_Ababa",
    "ECT": "Europe/Paris",
    "IET": "America/Indiana/Indianapolis",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "MIT": "Pacific/Apia",
    "NET": "Asia/Yerevan",
    "NST": "Pacific/Auckland",
    "PLT": "Asia/Karachi",
    "PNT": "America/Phoenix",
    "PRT": "America/Puerto_Rico",
    "PST": "America/Los_Angeles",
    "SST": "Pacific/Guadalcanal",
    "VST": "Asia/Ho_Chi_Minh",
}


class UnknownZoneError(ValueError):
    """A name that is of no time zone."""


def zone(name: str) -> ZoneInfo:
    """Return the time zone of this name, or raise `UnknownZoneError`."""
    try:
        return ZoneInfo(_SHORT.get(name, name))
    except (KeyError, ValueError, OSError) as error:
        raise UnknownZoneError(f"{name}; expected a name such as UTC or Europe/Berlin") from error
