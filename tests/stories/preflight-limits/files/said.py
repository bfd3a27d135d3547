"""Prints how often a plan is refused with which code, and the first finding of each code."""

import json
import sys
from collections import Counter

findings = json.load(sys.stdin)["error"]["findings"]
first = {finding["code"]: finding for finding in reversed(findings)}
for code, times in sorted(Counter(finding["code"] for finding in findings).items()):
    print(f"{times:2} x {code} {first[code]['address']}: {first[code]['cause']}")
