"""By what does a pod template tell that the files or settings it reads have changed?"""

import hashlib
import json
from typing import Any


def checksum(data: Any) -> str:
    """Return 16 hex digits that stand for plain data, whatever the order of its keys."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
