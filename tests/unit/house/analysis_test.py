#!/usr/bin/python3
"""analysis_test.py - the demo's judge is judged: what it must find, in runs made up for it."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(sys.argv.pop(1), "tools", "demo"))
import analysis  # noqa: E402
import clip  # noqa: E402

N = 60  # pictures of the made-up clip
REFERENCE = {(p, s): (1000 * s + p, 0.9 + 0.03 * s) for p in range(N) for s in range(3)}


def row(picture, spatial, wall_ms=None, crc32=None):
    crc32 = 1000 * spatial + picture % N if crc32 is None else crc32
    wall_ms = picture * 100 if wall_ms is None else wall_ms
    return [picture, picture * 100000, spatial, picture % 2, crc32, wall_ms, 300]


def shown(rows, duration_s=1e9):
    return analysis.shown_rows({"shown": rows}, duration_s)


class Judge(unittest.TestCase):
    def test_a_looped_clip_is_whole(self):
        broken, ssim = analysis.judge(shown([row(p, 2) for p in range(3 * N)]), REFERENCE)
        self.assertEqual(broken, 0)
        self.assertAlmostEqual(ssim, 0.96)

    def test_one_wrong_picture_is_found(self):
        rows = [row(p, 1) for p in range(N)]
        rows[7][4] ^= 1
        self.assertEqual(analysis.judge(shown(rows), REFERENCE)[0], 1)

    def test_the_layer_counts_too(self):
        rows = [row(p, 2, crc32=1000 + p) for p in range(4)]  # claims 2, is 1
        self.assertEqual(analysis.judge(shown(rows), REFERENCE)[0], 4)

    def test_an_unknown_layer_is_broken(self):
        self.assertEqual(analysis.judge(shown([row(0, 3)]), REFERENCE)[0], 1)


class LayersBack(unittest.TestCase):
    def test_never(self):
        self.assertIsNone(analysis.layers_back_s(shown([row(p, 1) for p in range(90)]), 2, 2))

    def test_half_a_second_is_not_back(self):
        rows = [row(p, 2 if p < 25 else 1) for p in range(90)]
        self.assertIsNone(analysis.layers_back_s(shown(rows), 2, 2))

    def test_back_after_a_second_and_a_half(self):
        rows = [row(p, 2 if p >= 35 else 0) for p in range(90)]
        self.assertAlmostEqual(analysis.layers_back_s(shown(rows), 2, 2), 1.5)

    def test_a_picture_left_out_begins_anew(self):
        rows = [row(p, 2) for p in range(90) if p != 25]
        self.assertAlmostEqual(analysis.layers_back_s(shown(rows), 2, 2), 0.7)


class BaseLost(unittest.TestCase):
    def test_none(self):
        self.assertEqual(analysis.base_lost(shown([row(p, 0) for p in range(60)]), 10, 5.5), 0)

    def test_gaps_count_each_picture(self):
        rows = [row(p, 0) for p in range(60) if p not in (7, 20, 21)]
        self.assertEqual(analysis.base_lost(shown(rows, 5), 10, 5), 3)

    def test_a_gap_after_the_end_does_not_count(self):
        rows = [row(p, 0) for p in range(60) if p != 55]
        self.assertEqual(analysis.base_lost(shown(rows, 5), 10, 5), 0)

    def test_a_broadcast_that_ceases_counts(self):
        self.assertEqual(analysis.base_lost(shown([row(p, 0) for p in range(31)]), 10, 5), 19)


class Shares(unittest.TestCase):
    def test_full_share(self):
        rows = [row(p, 2 if p % 10 else 1) for p in range(90)]
        self.assertAlmostEqual(analysis.full_share(shown(rows), 2, 0.1, 2, 4), 0.9)

    def test_stalls_are_counted_from_the_first_picture(self):
        report = {"wall_zero_ms": 500, "stalls": [{"at_s": 1, "ms": 900}, {"at_s": 10.6, "ms": 150}]}
        self.assertEqual(analysis.longest_stall_ms(report, 10, 20), 150)
        self.assertEqual(analysis.longest_stall_ms(report, 12, 20), 0)

    def test_media_counts_the_layers_shown(self):
        sizes = {(p, s): 10 ** s for p in range(N) for s in range(3)}
        rows = [row(0, 0), row(1, 1), row(2, 2), row(90, 2)]
        self.assertEqual(analysis.media_bytes_in_time(shown(rows), sizes, 0, 5), 1 + 11 + 111)

    def test_link_rate_and_loss(self):
        line = {"link": "a", "dir": "down", "down": False, "rate_bps": 5, "drop_queue": 1,
                "drop_loss": 2, "drop_down": 1, "packets_in": 40}
        stats = [{**line, "t_ms": 1000, "bytes_out": 0}, {**line, "t_ms": 2000, "bytes_out": 100}]
        self.assertEqual(analysis.link_series(stats, "a", 0.5), [(1.5, 800, 5)])
        self.assertEqual(analysis.link_total(stats, "a"), {"bytes": 100, "loss": 0.1})

    def test_peak_spans_the_joint_of_the_loop(self):
        sizes = {(p, 0): 100 if p in (0, 1, 58, 59) else 0 for p in range(N)}
        self.assertEqual(clip.peak_bps(sizes, 10), 400 * 8)


if __name__ == "__main__":
    unittest.main()
