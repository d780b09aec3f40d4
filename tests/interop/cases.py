"""cases.py - what every peer is asked to do, as a table.

A case says what server and client shall do (the peers turn that into their own options, or say that
they do not offer it), what lies between them, and what our side must have seen for the case to have
happened at all. That every file arrived whole is checked in all of them.
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
    size: int = 3000000
    up: bool = False              # BIG bytes to the server
    many: int = 0                 # so many small files at once
    connections: int = 1
    link: str = ""                # keys of a vlink
    links: tuple = ()             # keys of two vlinks, "a" and "b", one for each path
    at: tuple = ()                # what happens to them
    rebind: bool = False          # a NAT that changes its port
    ipv6: bool = False
    saw: typing.Callable = None   # (our events, our role) -> None, or raises Failed
    quick: bool = False           # part of the ordinary suite


def need(condition, text):
    if not condition:
        raise Failed(text)


def saw_retry(events, role):
    if role == "client":
        need(any(e.get("retries", 0) > 0 for e in events), "no Retry came")
    else:
        need(any(e.get("retries_sent", 0) > 0 for e in events), "no Retry was sent")


def saw_resumption(events, _):
    resumed = [c["resumed"] for c in connections_of(events)]
    need(len(resumed) >= 2 and not resumed[0] and any(resumed[1:]),
         f"resumed, by connection: {resumed}")


def saw_chacha(events, _):
    suites = {c["suite"] for c in connections_of(events)}
    need(suites == {"0x1303"}, f"suites {suites}")


def saw_key_update(events, _):
    updates = [c["key_updates"] for c in connections_of(events)]
    need(updates and max(updates) > 0, "no key update was seen")


def saw_move(events, _):
    moves = [p["rebindings"] for c in connections_of(events) for p in c["paths"]]
    need(moves and max(moves) > 0, "no change of the address was seen")


def saw_negotiation(events, role):
    if role == "server":
        need(any(e.get("versions_sent", 0) > 0 for e in events), "no version was negotiated")


def saw_loss(events, _):
    lost = [p["lost"] for c in connections_of(events) for p in c["paths"]]
    need(lost, "no connection was seen")


def saw_dropped(events, _):
    need(any(c["dropped"] > 0 for c in connections_of(events)), "no 0-RTT packet came")


def saw_two_paths(events, role):
    both = [[p["received" if role == "client" else "sent"] for p in c["paths"]]
            for c in connections_of(events)]
    need(any(sum(n > 100000 for n in paths) >= 2 for paths in both),
         f"bytes by path: {both}")


def saw_return(path):
    """More than the path can have carried before it died: TWIN_BYTES."""
    def saw(events, role):
        saw_two_paths(events, role)
        way = "received" if role == "client" else "sent"
        got = max((p[way] for c in connections_of(events) for p in c["paths"] if p["id"] == path),
                  default=0)
        need(got > TWIN_BYTES, f"{got} bytes on the path that died: none after its return?")
        states = [e["state"] for e in events if e["event"] == "path" and e["id"] == path]
        need(role == "client" or states[-2:] == ["suspect", "up"],
             f"the states of the path that died: {states}")
    return saw


TWINS = ("rate=20mbit,delay=10ms", "rate=20mbit,delay=15ms")
TWIN_DIES_AT_S = 1
TWIN_BYTES = TWIN_DIES_AT_S * 20e6 / 8 * 1.1
LOSSY = "rate=50mbit,delay=5ms,queue=100ms,loss=5%"

CASES = [
    Case("handshake", "one small file, certificate verified", quick=True),
    Case("download", "3,000,000 bytes to the client", down=True, quick=True),
    Case("upload", "3,000,000 bytes to the server", up=True, quick=True),
    Case("many requests", "100 files at once on one connection", many=100),
    Case("Retry", "the server demands proof of the address", server=("retry",), saw=saw_retry),
    Case("resumption", "the second connection resumes by ticket", client=("again",),
         connections=2, saw=saw_resumption, quick=True),
    Case("HelloRetryRequest", "the server takes none of the groups guessed", server=("hrr",)),
    Case("ChaCha20", "TLS_CHACHA20_POLY1305_SHA256", server=("chacha",), client=("chacha",),
         down=True, saw=saw_chacha),
    Case("key update", "new keys in mid-transfer", server=("key_update",), client=("key_update",),
         down=True, saw=saw_key_update),
    Case("version negotiation", "the client begins with a version nobody speaks",
         client=("unknown_version",), saw=saw_negotiation),
    Case("early data", "the client sends 0-RTT packets, on a ticket of another server, and falls "
         "back", client=("early_data",), saw=saw_dropped),
    Case("client certificate", "the server demands one", server=("client_ca",), client=("cert",)),
    Case("migration", "the client changes its address in mid-transfer", server=("follow",),
         client=("migrate",), down=True, saw=saw_move),
    Case("NAT rebinding", "a NAT between them changes its port, twice, in mid-transfer",
         server=("rebind",), down=True, rebind=True),
    Case("download, 5 % loss", "3,000,000 bytes over vlink, 5 % lost each way, RTT 10 ms",
         down=True, link=LOSSY, saw=saw_loss),
    Case("upload, 5 % loss", "the same to the server", up=True, link=LOSSY, saw=saw_loss),
    Case("handshakes, 5 % loss", "ten connections, one after another, over the same link",
         client=("again",), connections=10, link=LOSSY),
    Case("IPv6", "over ::1", down=True, ipv6=True),
    Case("multipath", "6,000,000 bytes over two vlinks of 20 Mbit/s, both carry",
         server=("multipath",), client=("multipath",), down=True, size=6000000, links=TWINS,
         saw=saw_two_paths),
    Case("first path dies", "12,000,000 bytes over two vlinks of 20 Mbit/s; the one of path 0 is "
         "dead from 1 s to 2.5 s, then carries again", server=("multipath",),
         client=("multipath",), down=True, size=12000000, links=TWINS,
         at=(f"{TWIN_DIES_AT_S}s:a.down", "2500ms:a.up"), saw=saw_return(0)),
    Case("second path dies", "the same with path 1", server=("multipath",),
         client=("multipath",), down=True, size=12000000, links=TWINS,
         at=(f"{TWIN_DIES_AT_S}s:b.down", "2500ms:b.up"), saw=saw_return(1)),
]
