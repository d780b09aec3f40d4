"""qlog_test.py TRACE_TWO_PATHS QLOG_EXPLAIN - the qlog of a whole connection, read by a JSON parser.

Both files are consistent with themselves and each other, hold every kind of event the connection
was made to have, and a damaged copy is found out.
"""
import collections
import glob
import json
import os
import subprocess
import sys
import tempfile

PROGRAM, EXPLAIN = sys.argv[1:3]
WANTED = {  # events of the client; the server's have them too unless said
    "quic:connection_started", "quic:connection_closed", "quic:tuple_assigned",
    "quic:parameters_set", "quic:key_updated", "quic:key_discarded", "quic:packet_sent",
    "quic:packet_received", "quic:packet_lost", "quic:recovery_metrics_updated",
    "quic:congestion_state_updated", "quic:timer_updated", "quic:mtu_updated",
    "quic:stream_state_updated", "tvl:path_state_updated", "tvl:path_picked",
}


def explain(*args):
    return subprocess.run([EXPLAIN, *args], capture_output=True, text=True, check=False)


def events(name):
    with open(name, encoding="ascii") as f:
        return [json.loads(part) for part in f.read()[1:].split("\x1e")][1:]


def expect(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def check_contents(client, server):
    kinds = collections.Counter(e["name"] for e in events(client))
    other = collections.Counter(e["name"] for e in events(server))
    expect(not WANTED - set(kinds) - {"quic:packet_lost"}, f"client: {WANTED - set(kinds)}")
    expect("tvl:controller_chosen" in other, "server: no controller was chosen")
    expect(not WANTED - set(other), f"server: {WANTED - set(other)}")
    states = [(e["path_id"], e["data"]["new"]) for e in events(server)
              if e["name"] == "tvl:path_state_updated"]
    expect((1, "suspect") in states and (1, "abandoned") in states, f"states {states}")
    tuples = {e["data"]["tuple_id"] for e in events(server) if e["name"] == "quic:tuple_assigned"}
    expect({"0", "0.1", "1"} <= tuples, f"tuples {tuples}")
    why = {e["data"].get("why") for e in events(client) if e["name"] == "quic:stream_state_updated"}
    expect("deadline" in why, f"stream states {why}")
    closed = [e["data"] for e in events(client) if e["name"] == "quic:connection_closed"]
    expect(closed[0]["reason"] == '"quoted" \\ ? \u00c3\u00a9', f"closed {closed}")
    frames = {f["frame_type"] for e in events(client) if e["name"] == "quic:packet_sent"
              for f in e["data"]["frames"]}
    expect({"path_ack", "stream", "datagram", "crypto", "reset_stream", "path_challenge",
            "path_new_connection_id", "path_abandon", "connection_close",
            "recovered"} <= frames, f"{frames}")
    got = {f["frame_type"] for e in events(client) if e["name"] == "quic:packet_received"
           for f in e["data"]["frames"]}
    expect({"protected", "repair"} <= got, f"{got}")


def check_damage(folder, client):
    """Each of these must be found."""
    with open(client, encoding="ascii") as f:
        text = f.read()
    sent = text.index('"name":"quic:packet_sent"', len(text) // 2)
    damages = {
        "a packet that is missing": text[:text.rindex("\x1e", 0, sent)] +
                                    text[text.index("\x1e", sent):],
        "a record cut short": text[:-20],
        "an event unknown": text.replace("quic:timer_updated", "quic:timer_went_off", 1),
        "a field unknown": text.replace('"congestion_window"', '"window"'),
        "a record without separator": text.replace("\n\x1e", "\n", 1),
    }
    for what, damaged in damages.items():
        name = os.path.join(folder, "damaged.sqlog")
        expect(damaged != text, f"{what}: nothing was changed")
        with open(name, "w", encoding="ascii") as f:
            f.write(damaged)
        expect(explain("--check", name).returncode == 1, f"{what} was not found")


with tempfile.TemporaryDirectory() as folder:
    out = os.path.join(folder, "qlog")
    print(subprocess.run([PROGRAM, out], capture_output=True, text=True, check=True).stdout)
    names = sorted(glob.glob(out + "/*.sqlog"))
    expect(len(names) == 2 and names[0].endswith("_client.sqlog"), f"files {names}")
    result = explain("--check", *names)
    print(result.stdout, result.stderr)
    expect(result.returncode == 0, "the files are not consistent")
    check_contents(*names)
    check_damage(folder, names[0])
    summary = explain(*names)
    print(summary.stdout)
    expect("path_suspect" in summary.stdout and "reordering_threshold" in summary.stdout, "summary")
    expect(explain("--packets", *names).stdout.count("because scheduler") > 1000, "packets")
