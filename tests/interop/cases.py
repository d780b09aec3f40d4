"""cases.py - what every peer is asked to do, as a table.

A case says what server and client shall do (the peers turn that into their own options, or say that
they do not offer it), what lies between them, and what our side must have seen for the case to have
happened at all. That every file arrived whole is checked in all of them. Each is played twice: as
it stands, and as lossy() makes it, over links that lose 5 % each way.
"""
import dataclasses
import typing

from lab import Failed, connections_of


@dataclasses.dataclass
class Case:
    name: str
    what: str                     # for docs/interop.md
    server: tuple = ()            # words of what the server shall do
    client: tuple = ()            # words of what the client shall do
    down: bool = False            # a file of `size` bytes to the client
    up: bool = False              # the same to the server
    size: int = 3000000
    many: int = 0                 # so many small files at once
    connections: int = 1
    link: str = ""                # keys of a vlink
    links: tuple = ()             # keys of two vlinks, "a" and "b", one for each path
    at: tuple = ()                # what happens to them
    rebind: bool = False          # a NAT that changes its port
    ipv6: bool = False
    saw: typing.Callable = None   # (Seen) -> None, or raises Failed
    quick: bool = False           # part of the ordinary suite
    loss: bool = False            # made by lossy()


@dataclasses.dataclass
class Seen:
    """What one of our programs said."""
    case: Case
    role: str
    events: list

    @property
    def connections(self):
        return connections_of(self.events)

    @property
    def sends(self):
        """It is the side the bytes come from."""
        return (self.role == "client") == self.case.up

    def bytes_by_path(self):
        """Of each connection: path ID -> bytes in the direction of the transfer."""
        way = "sent" if self.sends else "received"
        return [{p["id"]: p[way] for p in c["paths"]} for c in self.connections]


def need(condition, text):
    if not condition:
        raise Failed(text)


def saw_retry(seen):
    key = "retries" if seen.role == "client" else "retries_sent"
    need(any(e.get(key, 0) > 0 for e in seen.events), "no Retry was seen")


def saw_resumption(seen):
    resumed = [c["resumed"] for c in seen.connections]
    need(len(resumed) >= 2 and not resumed[0] and any(resumed[1:]),
         f"resumed, by connection: {resumed}")


def saw_chacha(seen):
    suites = {c["suite"] for c in seen.connections}
    need(suites == {"0x1303"}, f"suites {suites}")


def saw_key_update(seen):
    updates = [c["key_updates"] for c in seen.connections]
    need(updates and max(updates) > 0, "no key update was seen")


def saw_move(seen):
    moves = [p["rebindings"] for c in seen.connections for p in c["paths"]]
    need(moves and max(moves) > 0, "no change of the address was seen")


def saw_negotiation(seen):
    key = "negotiations" if seen.role == "client" else "versions_sent"
    need(any(e.get(key, 0) > 0 for e in seen.events), "no version was negotiated")


def saw_dropped(seen):
    need(any(c["dropped"] > 0 for c in seen.connections), "no 0-RTT packet came")


def saw_two_paths(seen):
    both = seen.bytes_by_path()
    need(any(sum(n > 100000 for n in paths.values()) >= 2 for paths in both),
         f"bytes by path: {both}")


def saw_return(path):
    """More went over the path than it can have carried before it died."""
    def saw(seen):
        saw_two_paths(seen)
        before = TWIN_DIES_AT_S * (SLOW_TWIN_BPS if seen.case.loss else TWIN_BPS) / 8 * 1.1
        got = max((paths.get(path, 0) for paths in seen.bytes_by_path()), default=0)
        need(got > before, f"{got} bytes on the path that died: none after its return?")
        states = [e["state"] for e in seen.events if e["event"] == "path" and e["id"] == path]
        left = states.index("suspect") if "suspect" in states else len(states)
        need(not seen.sends or "up" in states[left:], f"the states of the path that died: {states}")
    return saw


TWIN_BPS, SLOW_TWIN_BPS = 20e6, 4e6
TWINS = ("rate=20mbit,delay=10ms", "rate=20mbit,delay=15ms")
SLOW_TWINS = ("rate=4mbit,delay=5ms,queue=100ms,loss=5%", "rate=4mbit,delay=8ms,queue=100ms,loss=5%")
TWIN_DIES_AT_S = 1
LOSSY = "rate=50mbit,delay=5ms,queue=100ms,loss=5%"


def dying(way, path):
    link = "ab"[path]
    return Case(f"path {path} dies ({way})", f"12,000,000 bytes over two vlinks of 20 Mbit/s; the one "
                f"of path {path} is dead from 1 s to 2.5 s, then carries again",
                server=("multipath",), client=("multipath",), down=way == "down", up=way == "up",
                size=12000000, links=TWINS, at=(f"{TWIN_DIES_AT_S}s:{link}.down", f"2500ms:{link}.up"),
                saw=saw_return(path))


def both_carry(way):
    return Case(f"multipath ({way})", "6,000,000 bytes over two vlinks of 20 Mbit/s, both carry",
                server=("multipath",), client=("multipath",), down=way == "down", up=way == "up",
                size=6000000, links=TWINS, saw=saw_two_paths)


CASES = [
    Case("handshake", "one small file, certificate verified", quick=True),
    Case("handshakes", "ten connections, one after another", client=("again",), connections=10),
    Case("download", "3,000,000 bytes to the client", down=True, quick=True),
    Case("upload", "3,000,000 bytes to the server", up=True, quick=True),
    Case("many requests", "100 files at once on one connection", many=100),
    Case("Retry", "the server demands proof of the address", server=("retry",), saw=saw_retry),
    Case("resumption", "the second connection resumes by ticket", client=("again",),
         connections=2, saw=saw_resumption, quick=True),
    Case("HelloRetryRequest", "the server takes none of the groups guessed", server=("hrr",)),
    Case("ChaCha20", "TLS_CHACHA20_POLY1305_SHA256", server=("chacha",), client=("chacha",),
         down=True, saw=saw_chacha),
    Case("key update", "the client begins a new key phase in mid-transfer", client=("key_update",),
         down=True, saw=saw_key_update),
    Case("key update by server", "the server begins it", server=("key_update",), down=True,
         saw=saw_key_update),
    Case("version negotiation", "the client begins with a version nobody speaks",
         client=("unknown_version",), saw=saw_negotiation),
    Case("early data", "the client sends 0-RTT packets, on a ticket of another server, and falls "
         "back", client=("early_data",), saw=saw_dropped),
    Case("client certificate", "the server demands one", server=("client_ca",), client=("cert",)),
    Case("migration", "the client changes its address in mid-transfer", server=("follow",),
         client=("migrate",), down=True, saw=saw_move),
    Case("NAT rebinding", "a NAT between them changes its port, twice, in mid-transfer",
         server=("rebind",), down=True, rebind=True),
    Case("IPv6", "over ::1", down=True, ipv6=True),
    both_carry("down"),
    both_carry("up"),
    dying("down", 0),
    dying("down", 1),
    dying("up", 0),
    dying("up", 1),
]


def lossy(case):
    """The same with 5 % lost each way. Small transfers become many, so that some is lost."""
    if case.links:
        return dataclasses.replace(case, loss=True, links=SLOW_TWINS,
                                   size=3000000 if case.at else 1500000)
    small = not (case.down or case.up or case.many)
    once = "early_data" in case.client  # of one ticket only one connection can be made
    return dataclasses.replace(
        case, loss=True, link=LOSSY, size=1000000,
        connections=max(5, case.connections) if small and not once else case.connections)
