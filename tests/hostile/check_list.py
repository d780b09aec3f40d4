#!/usr/bin/python3
"""check_list.py - docs/negative.md says what the rows of the negative suite say.

    check_list.py TEST_HOSTILE DOCUMENT [--write]
"""
import pathlib
import subprocess
import sys

program, document = sys.argv[1], pathlib.Path(sys.argv[2])
text = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout
if "--write" in sys.argv:
    document.write_text(text)
elif document.read_text() != text:
    sys.exit(f"{document} is stale: {sys.argv[0]} {program} {document} --write")
