"""live_report.py - what svc-server --json has said last, and whether all holds that should."""
import json


def newest(path):
    """The last whole line as an object; {}: there is none yet."""
    said = {}
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                said = json.loads(line)
    except (OSError, ValueError):
        pass # not there yet, or its last line is being written
    return said


def exit_code(rules):
    """{what: whether it holds}: says what does not."""
    for what, holds in rules.items():
        if not holds:
            print("WRONG: not true: " + what)
    return 0 if all(rules.values()) else 1
