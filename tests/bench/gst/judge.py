"""judge.py - of one run of frames.py: which pictures were there in time, how good they were, what froze.

A picture is known by the number drawn into it. Its time is up LATENCY and MARGIN after it was handed to the sender:
what a player that shows it just then has on the screen - it, or the newest before it - is what PSNR and SSIM judge.
"""
import numpy

from common import FPS, HEIGHT, WIDTH

FREEZE_MS = 150 + 1000 // FPS  # as WebRTC's statistics count: 150 ms beyond a picture's time
SSIM_EVERY = 3  # pictures; each costs some ms


def number_of(luma):
    """The number drawn into a picture (media/testclip_number.h), or None."""
    strip = HEIGHT // 24
    rows = luma[HEIGHT - strip + strip // 4:HEIGHT - strip // 4]
    bits = 0
    for i in range(24):
        block = rows[:, WIDTH * (4 * i + 1) // 96:WIDTH * (4 * i + 3) // 96]
        bits = bits << 1 | int(block.mean() > 126)
    number, crc = bits >> 8, 0xA5
    for byte in (number >> 8, number & 255):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 7) & 255 if crc & 128 else crc << 1
    return number if crc == bits & 255 else None


def psnr(a, b):
    return float(10 * numpy.log10(255 ** 2 / max(((a.astype(numpy.int32) - b) ** 2).mean(), 0.01)))


def ssim(a, b):
    """Mean over blocks of 8x8 that do not overlap (Wang et al. 2004, with a flat window)."""
    def blocks(x):
        return x.astype(numpy.float32).reshape(HEIGHT // 8, 8, WIDTH // 8, 8).swapaxes(1, 2).reshape(-1, 64)
    x, y = blocks(a), blocks(b)
    mx, my = x.mean(1), y.mean(1)
    vx, vy = x.var(1), y.var(1)
    cov = (x * y).mean(1) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(((2 * mx * my + c1) * (2 * cov + c2) / ((mx ** 2 + my ** 2 + c1) * (vx + vy + c2))).mean())


def frozen(screen):
    """(freezes, ms of them): `screen` is the number on it at each picture's time."""
    lengths, last = [], object()
    for number in screen:
        if number == last:
            lengths[-1] += 1
        else:
            lengths.append(1)
        last = number
    long = [n * 1000 / FPS for n in lengths if n * 1000 / FPS > FREEZE_MS]
    return len(long), sum(long)


def luma_of(data):
    return numpy.frombuffer(data, dtype=numpy.uint8, count=WIDTH * HEIGHT).reshape(HEIGHT, WIDTH)


def judge(shown, pictures, handed, first, end, patience_s):
    """Of the pictures [first, end), each in time until `patience_s` after `handed`; shown: (when, luma)."""
    came = {}  # number: (when, luma)
    for when, data in shown:
        luma = luma_of(data)
        number = number_of(luma)
        if number is not None and number < end:
            came.setdefault(number, (when, luma))
    delays = sorted((when - handed[n]) * 1000 for n, (when, _) in came.items() if n >= first)
    in_time, screen, curve, likeness = 0, [], [], []
    for n in range(first, end):
        due = handed[n] + patience_s
        in_time += n in came and came[n][0] <= due
        now = next((m for m in range(n, -1, -1) if m in came and came[m][0] <= due), None)
        screen.append(now)
        source = luma_of(pictures[n])
        luma = came[now][1] if now is not None else numpy.zeros_like(source)
        curve.append(round(psnr(source, luma), 2))
        if n % SSIM_EVERY == 0:
            likeness.append(ssim(source, luma))
    freezes, frozen_ms = frozen(screen)
    return {"in_time": in_time / (end - first), "psnr": float(numpy.mean(curve)), "ssim": float(numpy.mean(likeness)),
            "freezes": freezes, "frozen_ms": round(frozen_ms),
            "delay_ms": delays[len(delays) // 2] if delays else None, "curve": curve}
