"""SDK facts: what of Foundation belongs to Metal's interface."""

from __future__ import annotations

TABLE = """\
protocol NSObject 10.0
    description() -> string
    respondsToSelector_(selector) -> bool
class NSError 10.0
    + errorWithDomain_code_userInfo_(string, int, dict) -> NSError
    domain() -> string
    code() -> int
    userInfo() -> dict
    localizedDescription() -> string
    localizedFailureReason() -> string
    localizedRecoverySuggestion() -> string
class NSURL 10.0
    + fileURLWithPath_(string) -> NSURL
    path() -> string
    absoluteString() -> string
    isFileURL() -> bool
class NSProcessInfo 10.0
    + processInfo() -> NSProcessInfo
    operatingSystemVersion() -> NSOperatingSystemVersion @10.10
    operatingSystemVersionString() -> string
    isOperatingSystemAtLeastVersion_(NSOperatingSystemVersion) -> bool @10.10
    physicalMemory() -> uint @10.5
"""
