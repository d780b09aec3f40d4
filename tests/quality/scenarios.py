"""scenarios.py - the links over which the laboratory plays: made-up ones, and recorded groups.

A scenario gives, for a seed, the links as vlink takes them and the timed changes. Rates are shares
of the clip's mean, so that each asks the same of every clip. A seed moves the changes against the
clip's key pictures and draws jitter and losses anew.
"""
import json
import os

OVERHEAD = "overhead=28"  # IPv4 and UDP headers
LATENCY_MS = 400

# What a path of the kind has beside its rate: one-way delay, ms, from the ping series recorded
# beside the traces (as tests/bench/layered.c has it).
DELAY_MS = {"wifi": 10, "cellular": 32, "att": 54, "tmobile": 50, "verizon": 32, "starlink": 21}
QUEUE_MS = 250          # a recorded link's queue at its mean rate,
QUEUE_LEAST = 8000      # and at least so many bytes
LOAD = 0.8              # the clip's mean over the sum of recorded links, which are thinned to that
GROUP_SECONDS = 40      # of a recording
PACKET = 1500           # bytes of one opportunity


class Link:
    def __init__(self, name, share, delay_ms, more="", queue_ms=200, jitter_ms=2):
        self.name, self.share, self.delay_ms = name, share, delay_ms
        self.more, self.queue_ms, self.jitter_ms = more, queue_ms, jitter_ms

    def spec(self, clip_bps):
        return ",".join(filter(None, (
            f"name={self.name}", f"rate={int(self.share * clip_bps)}bit",
            f"delay={self.delay_ms}ms", f"jitter={self.jitter_ms}ms", f"queue={self.queue_ms}ms",
            OVERHEAD, self.more)))

    def mean_bps(self, clip_bps):
        return self.share * clip_bps


class Scenario:
    """`changes`: [(seconds, "wifi.down")], or with a share: [(seconds, "wifi.rate", share)]."""
    recorded = False

    def __init__(self, name, what, links, changes=(), seconds=15):
        self.name, self.what, self.links = name, what, links
        self.timed, self.seconds = changes, seconds

    def names(self):
        return [link.name for link in self.links]

    def arguments(self, clip_bps, seed):
        """What lab and vlink are told."""
        links = [link.spec(clip_bps) for link in self.links]
        changes = []
        for at, what, *share in self.timed:
            value = f"={int(share[0] * clip_bps)}bit" if share else ""
            changes.append(f"{round((at + 0.37 * (seed - 1)) * 1000)}ms:{what}{value}")
        return links, changes

    def best_mean(self, clip_bps):
        """Name and rate of the link with the most."""
        best = max(self.links, key=lambda link: link.mean_bps(clip_bps))
        return best.name, best.mean_bps(clip_bps)


# Shares of the clip's mean rate; a link alone rarely carries all of it, both together mostly do.
MADE_UP = [
    Scenario("calm", "both live, the sum is 1.6 of the clip",
             [Link("wifi", 1.0, 12), Link("lte", 0.6, 35)]),
    Scenario("death", "the better link dies for 4 s and returns",
             [Link("wifi", 0.9, 12), Link("lte", 0.6, 35)], [(5, "wifi.down"), (9, "wifi.up")]),
    Scenario("death-other", "the lesser link dies for 4 s and returns",
             [Link("wifi", 0.9, 12), Link("lte", 0.6, 35)], [(5, "lte.down"), (9, "lte.up")]),
    Scenario("thin", "the sum is 0.7 of the clip",
             [Link("wifi", 0.45, 12), Link("lte", 0.25, 35)]),
    Scenario("lossy", "1 % lost at random here, 2 % in bursts there",
             [Link("wifi", 0.9, 12, "loss=1%"), Link("lte", 0.8, 35, "ge=0.4%:10%:0%:50%")]),
    Scenario("unlike", "one way takes 150 ms longer",
             [Link("wifi", 0.8, 10), Link("sat", 0.8, 160)]),
    Scenario("fade", "the better link fades to a twentieth and comes back",
             [Link("wifi", 1.2, 12), Link("lte", 0.6, 35)],
             [(4, "wifi.rate", 0.5), (5.5, "wifi.rate", 0.06), (9.5, "wifi.rate", 0.5),
              (10.5, "wifi.rate", 1.2)]),
    Scenario("swing", "what one loses the other gains, every 2 s",
             [Link("wifi", 1.1, 12), Link("lte", 0.2, 35)],
             [(at, f"{name}.rate", share) for at, wifi in ((3, 0.2), (5, 1.1), (7, 0.2), (9, 1.1),
                                                           (11, 0.2), (13, 1.1))
              for name, share in (("wifi", wifi), ("lte", 1.3 - wifi))]),
    Scenario("flap", "one link dies for 1 s every 3 s",
             [Link("wifi", 0.9, 12), Link("lte", 0.7, 35)],
             [change for at in (3, 6, 9, 12) for change in ((at, "wifi.down"), (at + 1, "wifi.up"))]),
    Scenario("stutter", "the better link stands nearly still for a while, again and again",
             [Link("wifi", 1.0, 12, queue_ms=1000), Link("lte", 0.6, 35)],
             [(at + part, "wifi.rate", share) for at in (2, 4.5, 7, 9.5, 12)
              for part, share in ((0, 0.008), (1.6, 1.0))]),
    Scenario("trickle", "beside a good link one that brings next to nothing",
             [Link("lte", 0.8, 35), Link("far", 0.02, 50, queue_ms=1500)]),
    Scenario("four", "four thin links, two of which die one after the other",
             [Link("a", 0.4, 15), Link("b", 0.4, 25), Link("c", 0.4, 40), Link("d", 0.4, 60)],
             [(4, "a.down"), (7, "b.down"), (9, "a.up"), (11, "b.up")]),
]
SMALL = ("death", "thin")  # in ./run test


class Recorded:
    """Links measured at one time in one place, thinned to what the clip asks for."""
    recorded = True
    timed = ()

    def __init__(self, name, traces, folder, work):
        self.name, self.what = name, "recorded: " + ", ".join(sorted(traces))
        self.traces, self.work = traces, work
        self.ms = {link: read_trace(os.path.join(folder, "mm", file + ".mm"))
                   for link, file in traces.items()}
        self.period = {link: ms[-1] for link, ms in self.ms.items()}
        self.seconds = min(GROUP_SECONDS, min(self.period.values()) // 1000) - 4

    def names(self):
        return sorted(self.traces)

    def thinning(self, clip_bps):
        whole = sum(len(ms) * PACKET * 8000 / ms[-1] for ms in self.ms.values())
        return min(1.0, clip_bps / (LOAD * whole))

    def mean_bps(self, link, clip_bps):
        return len(self.ms[link]) * PACKET * 8000 / self.period[link] * self.thinning(clip_bps)

    def best_mean(self, clip_bps):
        return max(((link, self.mean_bps(link, clip_bps)) for link in self.names()),
                   key=lambda pair: pair[1])

    def file(self, link, clip_bps, seed):
        """The trace thinned, and begun later by what the seed says. Made once."""
        path = os.path.join(self.work, f"{self.name}-{link}-{int(clip_bps)}-{seed}.mm")
        if os.path.exists(path):
            return path
        share, period, credit, kept = self.thinning(clip_bps), self.period[link], 0.5, []
        for ms in self.ms[link]:
            credit += share
            if credit >= 1:
                credit -= 1
                kept.append(ms)
        begin = 1300 * (seed - 1) % period
        turned = sorted((ms - begin - 1) % period + 1 for ms in kept)
        with open(path + ".part", "w", encoding="ascii") as f:
            f.writelines(f"{ms}\n" for ms in turned)
            if not turned or turned[-1] != period:
                f.write(f"{period}\n")  # how long it is
        os.replace(path + ".part", path)
        return path

    def arguments(self, clip_bps, seed):
        links = []
        for link in self.names():
            queue = max(QUEUE_LEAST, int(self.mean_bps(link, clip_bps) / 8000 * QUEUE_MS))
            links.append(f"name={link},trace={self.file(link, clip_bps, seed)},"
                         f"delay={DELAY_MS[link]}ms,queue={max(1, queue // 1000)}kB,{OVERHEAD}")
        return links, []


def read_trace(path):
    with open(path, encoding="ascii") as f:
        return [int(line) for line in f]


def recorded(folder, work):
    """The groups of ../shared/traces with two or more links towards the viewer."""
    try:
        with open(os.path.join(folder, "index.json"), encoding="utf-8") as f:
            index = json.load(f)
    except OSError:
        return []
    os.makedirs(work, exist_ok=True)
    groups = {}
    for row in index:
        kind = row["name"].rsplit("-", 1)[-1]
        if row["group"] and row["dir"] == "down" and kind in DELAY_MS:
            groups.setdefault(row["group"], {})[kind] = row["name"]
    return [Recorded(name, traces, folder, work) for name, traces in sorted(groups.items())
            if len(traces) > 1]
