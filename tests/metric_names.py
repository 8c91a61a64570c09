"""Which series does an expression of PromQL name?"""

import re

_STRINGS = re.compile(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring) *\([^)]*\)')
_WORDS = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LANGUAGE = {
    *("sum", "min", "max", "avg", "count", "rate", "increase", "time", "absent", "vector"),
    *("histogram_quantile", "clamp_min", "or", "and", "unless", "by", "label_replace", "bool"),
}


def named_in(expr: str) -> set[str]:
    """Return the names of the series; a word that is neither one nor known makes a test fail."""
    plain = _STRINGS.sub(" ", expr)
    return {word for word in _WORDS.findall(plain) if word not in _LANGUAGE}
