"""fake_clock.py - a clock of the day that steps for programs started under it, with `monotonic` all their clocks;
the others' clocks go on (libfaketime)."""
import os
import shutil

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


class FakeClock:
    def __init__(self, folder, monotonic=False):
        self.monotonic = monotonic
        os.makedirs(folder, exist_ok=True)
        self.file = os.path.join(folder, "clock")
        self.step("+0")

    def step(self, text):
        """By "+1d", "-7200" ... from the true time."""
        with open(self.file + ".new", "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.rename(self.file + ".new", self.file)

    def words(self):
        """What to put before a command."""
        return [shutil.which("env"), f"LD_PRELOAD={LIBRARY}", f"FAKETIME_TIMESTAMP_FILE={self.file}",
                "FAKETIME_NO_CACHE=1", *(() if self.monotonic else ("FAKETIME_DONT_FAKE_MONOTONIC=1",))]


def possible(program):
    """Whether the library is there, and the program leaves it the first place: a sanitizer does not."""
    with open(program, "rb") as file:
        return os.path.exists(LIBRARY) and b"__asan_init" not in file.read()
