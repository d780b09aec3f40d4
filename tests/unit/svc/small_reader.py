"""small_reader.py FULL SMALL CLIP - the reader without FFmpeg says of a file what the one with it says, whole or
damaged, and what it cannot read it refuses."""
import os
import subprocess
import sys
import tempfile

FULL, SMALL, CLIP = sys.argv[1:]


def read(program, path):
    done = subprocess.run([program, path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (0, 1), (path, done)
    return done.returncode, done.stdout


with open(CLIP, "rb") as f:
    clip = f.read()
whole = read(SMALL, CLIP)
assert whole == read(FULL, CLIP) and whole[0] == 0 and whole[1].count("\n") > 100, whole[1][:300]
with tempfile.TemporaryDirectory() as folder:
    damaged = {
        "cut within a picture": clip[:-5],
        "cut within a picture's header": clip[:len(clip) - len(clip) % 7 - 3],
        "no picture": clip[:32],
        "no header": clip[:20],
        "a length of 4 GiB": clip[:32] + b"\xff\xff\xff\xff" + clip[36:],
        "a length of 0": clip[:32] + bytes(4) + clip[36:],
        "another codec": clip[:8] + b"VP80" + clip[12:],
        "no rate": clip[:16] + bytes(8) + clip[24:],
        "no layered file": b"x" * 1000,
        "Matroska": b"\x1a\x45\xdf\xa3" + bytes(200),
    }
    for name, data in damaged.items():
        path = os.path.join(folder, "clip.ivf")
        with open(path, "wb") as f:
            f.write(data)
        code, said = read(SMALL, path)
        assert code == 1 and said.startswith(path + ": "), (name, code, said[:200])
code, said = read(SMALL, "/no/such.ivf")
assert code == 1 and "cannot be read" in said, said
print(f"{whole[1].count(chr(10))} lines alike, {len(damaged)} damaged files refused")
