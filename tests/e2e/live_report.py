"""live_report.py - what svc-server --json has said last."""
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
