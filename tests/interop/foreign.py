#!/usr/bin/python3
"""foreign.py ROOT BUILD PEER - libtvl meets ngtcp2, an independent QUIC, as client and as server.

Over real sockets, with certificates verified, and a body that needs acknowledgements and flow
control. Skipped (77) where ngtcp2's programs are not installed; `./run capture` installs them.
"""
import os
import shutil
import sys

sys.dont_write_bytecode = True
ROOT, BUILD, PEER = (os.path.abspath(a) for a in sys.argv[1:4])
os.environ["SVC_BUILD"] = BUILD
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
from programs import Programs, free_udp_ports, make_pki, wait_for_udp  # noqa: E402

WORK = os.path.join(BUILD, "tests", "interop", "work")
BODY_BYTES = 300000
SKIP = 77


def text_of(program):
    with open(program.log, encoding="utf-8", errors="replace") as f:
        return f.read()


def our_client(pki, port):
    docs = os.path.join(WORK, "htdocs")
    os.makedirs(docs, exist_ok=True)
    with open(os.path.join(docs, "index.html"), "wb") as f:
        f.write(b"y" * BODY_BYTES)
    with Programs(WORK) as running:
        server = running.start("gtlsserver", [shutil.which("gtlsserver"), "--quiet", "-d", docs,
                                              "127.0.0.1", str(port), pki["server.key"],
                                              pki["server.pem"]])
        wait_for_udp(server, port)
        client = running.start("tvl_peer-client", [PEER, "client", f"127.0.0.1:{port}",
                                                   "localhost", pki["ca.pem"]])
        client.wait(30)
    said = text_of(client)
    received = int(said.split("done, ")[1].split()[0])
    print(f"our client, ngtcp2's server: {received} bytes")
    return received >= BODY_BYTES


def our_server(pki, port):
    downloads = os.path.join(WORK, "downloads")
    shutil.rmtree(downloads, ignore_errors=True)
    os.makedirs(downloads)
    with Programs(WORK) as running:
        server = running.start("tvl_peer-server", [PEER, "server", f"127.0.0.1:{port}",
                                                   pki["server.pem"], pki["server.key"]])
        wait_for_udp(server, port)
        client = running.start("gtlsclient", [
            shutil.which("gtlsclient"), "--quiet", "--exit-on-all-streams-close", "--timeout=10s",
            "--download", downloads, "127.0.0.1", str(port), "https://localhost/body"])
        client.wait(30)
        server.wait(30)
    sizes = [os.path.getsize(os.path.join(downloads, n)) for n in os.listdir(downloads)]
    print(f"ngtcp2's client, our server: {sizes} bytes")
    return sizes == [200000]


def main():
    if not shutil.which("gtlsclient") or not shutil.which("gtlsserver"):
        print("skipped: ngtcp2-client and ngtcp2-server are not installed")
        return SKIP
    os.makedirs(WORK, exist_ok=True)
    pki = make_pki(os.path.join(WORK, "pki"))
    ports = free_udp_ports(2)
    good = [our_client(pki, ports[0]), our_server(pki, ports[1])]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
