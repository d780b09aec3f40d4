"""peers.py - the programs the matrix is about, each as server and as client.

A peer turns the words of a case into its own options, or raises NotOffered with the reason. Every
client that can verify a certificate does.
"""
import json
import os
import shutil
import subprocess
import time

from lab import Failed, NotOffered, version_of

IDLE_S = 20


def refuse(words, reasons):
    """`reasons`: what this peer does not offer, by word."""
    for word in words:
        if word in reasons:
            raise NotOffered(reasons[word])


class Peer:
    name = package = ""
    kinds = ("server", "client")
    no_server, no_client = {}, {}  # word -> reason

    def missing(self):
        """What to install, or "" when it is there."""
        return ""

    def version(self):
        return version_of(self.package)

    def check(self, case, role):
        refuse(case.server if role == "server" else case.client,
               self.no_server if role == "server" else self.no_client)

    def serve(self, lab):
        raise NotImplementedError

    def request(self, lab, server):
        raise NotImplementedError

    def check_upload(self, lab):
        """As server: what was sent up is here, whole."""
        lab.check_upload(os.path.join(lab.uploads, "up.bin"))

    upload_path = "/up.bin"
    hrr_groups = "P-384"  # as client: what it does not guess, but has
    hrr_guess = ""  # as server: groups of which it lacks the first, when it cannot be told to
    fill = b""  # as client: it can send only this byte up
    wants = {}  # as client: word -> what our server has to do for it


class Libtvl(Peer):
    """Both sides are ours."""
    name = "libtvl"
    no_client = {
        "early_data": "OpenSSL 3.0 gives a QUIC client no keys for 0-RTT",
    }

    def version(self):
        return "this tree"

    def serve(self, lab):
        words = lab.case.server
        command = [lab.tool("h3_server"), "--listen", f"{lab.host}:{lab.port}", "--cert",
                   lab.pki["server.pem"], "--key", lab.pki["server.key"], "--root", lab.root,
                   "--uploads", lab.uploads]
        more = {
            "retry": ["--retry"],
            "hrr": ["--groups", lab.client.hrr_groups],
            "chacha": ["--suites", "TLS_CHACHA20_POLY1305_SHA256"],
            "client_ca": ["--client-ca", lab.pki["ca.pem"]],
            "key_update": ["--key-packets", "500"],
            "close": ["--requests", "2"],
        }
        for word in words + tuple(lab.client.wants.get(w) for w in lab.case.client):
            command += more.get(word, [])
        return lab.start_server("h3_server", command)

    def request(self, lab, server):
        words = lab.case.client
        command = [lab.tool("h3_client"), "--ca", lab.pki["ca.pem"], "--connections",
                   str(lab.case.connections), "--timeout", str(2 * IDLE_S)]
        more = {
            "chacha": ["--suites", "TLS_CHACHA20_POLY1305_SHA256"],
            "cert": ["--cert", lab.pki["client.pem"], "--key", lab.pki["client.key"]],
            "key_update": ["--key-packets", "10"],
            "unknown_version": ["--first-version", "1a2a3a4a"],
            "migrate": ["--migrate", str(lab.case.size // 10)],
            "multipath": ["--path", f"@{lab.second_host}:{lab.link_port}"] if lab.case.links
            else ["--local", "127.0.0.1", "--path", "127.0.0.2"],
        }
        for word in words:
            command += more.get(word, [])
        if "hrr" in lab.case.server and server.hrr_guess:
            command += ["--groups", server.hrr_guess]
        target = f"{lab.host}:{lab.connect_port}"
        paths = ["/" + name for name in lab.downloads]
        if lab.case.up:
            command += ["--post", lab.upload]
            paths = [server.upload_path]
        return lab.run_client("h3_client", command + ["--save", lab.saved, target] + paths)


class Ngtcp2(Peer):
    """ngtcp2's example programs on GnuTLS. Its client verifies no certificate."""
    name, package = "ngtcp2", "ngtcp2-server"
    no_server = {
        "key_update": "gtlsserver has no option for it",
        "multipath": "no multipath",
    }
    no_client = {"multipath": "no multipath"}
    upload_path = "/index.html"

    def missing(self):
        return "" if shutil.which("gtlsserver") and shutil.which("gtlsclient") else \
            "ngtcp2-client ngtcp2-server"

    def check_upload(self, lab):
        pass  # it keeps nothing, but answers only after the last byte

    @staticmethod
    def server_command(lab, port, words=()):
        command = [shutil.which("gtlsserver"), "--quiet", "-d", lab.root]
        more = {
            "retry": ["--validate-addr"],
            "hrr": ["--groups=-GROUP-ALL:+GROUP-SECP384R1"],
            "client_ca": ["--verify-client"],
        }
        for word in words:
            command += more.get(word, [])
        return command + [lab.host.strip("[]"), str(port), lab.pki["server.key"],
                          lab.pki["server.pem"]]

    def serve(self, lab):
        return lab.start_server("gtlsserver", self.server_command(lab, lab.port, lab.case.server))

    def request(self, lab, server):
        words = lab.case.client
        after = "100ms" if lab.case.loss else "5ms"  # of the handshake, but before the end
        session, params = (os.path.join(lab.folder, n) for n in ("session", "params"))
        command = [shutil.which("gtlsclient"), "--quiet", "--exit-on-all-streams-close",
                   f"--timeout={IDLE_S}s", "--download", lab.saved, "--sni", "localhost"]
        more = {
            "again": ["--session-file", session, "--tp-file", params],
            "early_data": ["--session-file", session, "--tp-file", params],
            "chacha": ["--ciphers=NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305"],
            "cert": ["--cert", lab.pki["client.pem"], "--key", lab.pki["client.key"]],
            "key_update": [f"--key-update={after}"],
            "migrate": [f"--change-local-addr={after}"],
            "unknown_version": ["-v", "0x1a2a3a4a", "--preferred-versions", "v1"],
        }
        for word in words:
            command += more.get(word, [])
        if lab.case.up:
            command += ["-m", "POST", "-d", lab.upload]
        host = lab.host.strip("[]")

        def uris(port):
            names = [server.upload_path[1:]] if lab.case.up else lab.downloads
            return [host, str(port)] + [f"https://localhost:{port}/{name}" for name in names]

        if "early_data" in words:
            other = lab.running.start("gtlsserver-other", self.server_command(lab, lab.link_port))
            time.sleep(0.5)
            lab.run_client("gtlsclient-other", command + uris(lab.link_port))
            other.stop()
        for i in range(lab.case.connections):
            lab.run_client(f"gtlsclient-{i}", command + uris(lab.connect_port))


class Caddy(Peer):
    """Go's quic-go."""
    name, package = "caddy", "caddy"
    kinds = ("server",)
    no_server = {
        "retry": "Caddy has no setting for it",
        "key_update": "quic-go begins one after 100,000 packets, and Caddy has no setting for it",
        "follow": "quic-go forbids it by disable_active_migration",
        "rebind": "quic-go 0.29 goes on sending to the old port; ngtcp2's client fails there too",
        "multipath": "no multipath",
    }

    def missing(self):
        return "" if shutil.which("caddy") else "caddy"

    def check_upload(self, lab):
        lab.check_upload(os.path.join(lab.saved, "up.bin"))  # it sends it back

    def serve(self, lab):
        words = lab.case.server
        tls = []
        if "hrr" in words:
            tls.append("curves secp384r1")
        if "client_ca" in words:
            tls.append("client_auth {\n mode require_and_verify\n trusted_ca_cert_file "
                       + lab.pki["ca.pem"] + "\n}")
        config = os.path.join(lab.folder, "Caddyfile")
        with open(config, "w", encoding="utf-8") as f:
            f.write("{\n admin off\n auto_https off\n servers {\n strict_sni_host insecure_off\n}\n"
                    " storage file_system " + lab.folder + f"/caddy\n}}\nhttps://localhost:{lab.port} {{\n bind {lab.host}\n tls "
                    f"{lab.pki['server.pem']} {lab.pki['server.key']} {{\n" + "\n".join(tls) +
                    f"\n}}\n root * {lab.root}\n @post method POST\n"
                    " respond @post \"{http.request.body}\"\n file_server\n}\n")
        return lab.start_server("caddy", [
            "/usr/bin/env", "HOME=" + lab.folder, "XDG_CONFIG_HOME=" + lab.folder,
            shutil.which("caddy"), "run", "--config", config, "--adapter", "caddyfile"], tcp=True)


PAGE = """<!doctype html><title>interop</title><script>
const down = %s, up = %s, rounds = %d;
// Between rounds the server closes the connection, maybe while a request is on its way to it.
const ask = async (...what) => {
  for (let left = rounds > 1 ? 3 : 1; ; left--)
    try { return await fetch(...what); } catch (e) { if (left <= 1) throw e; }
};
(async () => {
  const out = {};
  try {
    for (let round = 0; round < rounds; round++)
      await Promise.all(down.map(async name => {
        const b = await (await ask("/" + name, {cache: "no-store"})).arrayBuffer();
        await ask("/" + name, {method: "POST", body: b});
      }));
    if (up) {
      const b = await (await fetch("/up.bin")).arrayBuffer();
      out.up = await (await fetch("/up.bin", {method: "POST", body: b})).text();
    }
  } catch (e) { out.error = String(e); }
  await ask("/result.json", {method: "POST", body: JSON.stringify(out)});
})();
</script>
"""


class Chromium(Peer):
    """Headless, with the authority in the certificate database of its own home folder."""
    name, package = "chromium", "chromium"
    kinds = ("client",)
    wants = {"again": "close"}  # it keeps a connection as long as it lives
    no_client = {
        "unknown_version": "no switch for it",
        "key_update": "no switch for it",
        "early_data": "no way to give it another server's ticket",
        "cert": "headless, it offers a certificate only by an administrator's policy",
        "migrate": "no switch for it",
        "multipath": "no multipath",
    }

    def missing(self):
        return "" if shutil.which("chromium") and shutil.which("certutil") else \
            "chromium libnss3-tools"

    @staticmethod
    def make_home(lab):
        home = lab.make("home")
        db = os.path.join(home, ".pki", "nssdb")
        os.makedirs(db)
        for args in (["-N", "--empty-password"],
                     ["-A", "-n", "interop", "-t", "C,,", "-i", lab.pki["ca.pem"]]):
            lab.run_client("certutil", [shutil.which("certutil"), "-d", "sql:" + db] + args)
        return home

    def request(self, lab, server):
        names = [] if lab.case.up else lab.downloads
        lab.write("index.html", (PAGE % (json.dumps(names), json.dumps(lab.case.up),
                                         lab.case.connections)).encode())
        shutil.copy(lab.upload, os.path.join(lab.root, "up.bin"))
        home = self.make_home(lab)
        result = os.path.join(lab.uploads, "result.json")
        origin = f"localhost:{lab.connect_port}"
        lab.running.start("chromium", [
            "/usr/bin/env", "HOME=" + home, shutil.which("chromium"), "--headless=new",
            "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-extensions",
            "--user-data-dir=" + os.path.join(home, "profile"), "--enable-quic",
            "--origin-to-force-quic-on=" + origin,
            "--host-resolver-rules=MAP localhost " + lab.host, f"https://{origin}/"])
        until = time.monotonic() + 40
        while not os.path.exists(result) and time.monotonic() < until:
            time.sleep(0.05)
        if not os.path.exists(result):
            raise Failed("the page did not come to its end")
        with open(result, encoding="utf-8") as f:
            said = json.load(f)
        if "error" in said:
            raise Failed("in the page: " + said["error"])
        for name in names:  # it sent back what it got
            shutil.copy(os.path.join(lab.uploads, name), os.path.join(lab.saved, name))


class Picoquic(Peer):
    """picoquicdemo, which no distribution has: SVC_PICOQUIC names the program."""
    name = "picoquic"
    hrr_groups = "P-256"
    hrr_guess = "X448:P-256"
    fill = b"Z"
    wants = {}
    no_server = {
        "client_ca": "no option for it",
        "key_update": "no option for it",
    }
    no_client = {
        "cert": "no option for it",
        "unknown_version": "it does not try another version",
    }
    upload_path = "/post"

    def __init__(self):
        self.program = os.environ.get("SVC_PICOQUIC", "")

    def missing(self):
        return "" if self.program else "picoquic by hand, and take SVC_PICOQUIC=PROGRAM"

    def version(self):
        """The commit of the tree it was built in."""
        done = subprocess.run(["git", "-C", os.path.dirname(self.program), "log", "-1",
                               "--format=commit %h of %cs"], capture_output=True, text=True,
                              check=False)
        return done.stdout.strip()

    def check_upload(self, lab):
        with open(os.path.join(lab.saved, "post"), encoding="utf-8") as f:
            said = f.read()
        # It counts the 512 bytes of room for its answer, too; with ngtcp2's client as well.
        if said.strip() not in (f"Received {lab.case.size} bytes.",
                                f"Received {lab.case.size + 512} bytes."):
            raise Failed(f"the server says: {said.strip()}")

    def command(self, lab, folder):
        return ["/usr/bin/env", "-C", lab.make(folder), self.program, "-0"] + \
            ([] if "migrate" in lab.case.client else ["-M"])  # else it opens a path instead

    def server_command(self, lab, port, words=()):
        command = self.command(lab, f"server-{port}") + [
            "-p", str(port), "-c", lab.pki["server.pem"], "-k", lab.pki["server.key"],
            "-w", lab.root]
        return command + (["-r"] if "retry" in words else [])

    def serve(self, lab):
        return lab.start_server("picoquic", self.server_command(lab, lab.port, lab.case.server))

    def request(self, lab, server):
        words = lab.case.client
        command = self.command(lab, "client") + ["-n", "localhost", "-t", lab.pki["ca.pem"],
                                                 "-o", lab.saved]
        more = {
            "chacha": ["-C", "20"],
            "key_update": ["-u", "200"],
            "migrate": ["-f", "3"],
            "multipath": ["-A", f"127.0.0.1/0/{lab.second_host}" if lab.case.links
                          else "127.0.0.2/0"],
        }
        for word in words:
            command += more.get(word, [])
        if "hrr" in lab.case.server:
            command.append("-z")
        scenario = [f"0:-:up.bin:{lab.case.size}"] if lab.case.up else \
            [f"{4 * i}:-:{name}" for i, name in enumerate(lab.downloads)]

        def target(port):
            return [lab.host.strip("[]"), str(port), ";".join(scenario)]

        if "early_data" in words:
            other = lab.running.start("picoquic-other", self.server_command(lab, lab.link_port))
            time.sleep(0.5)
            lab.run_client("picoquic-first", command + target(lab.link_port))
            other.stop()
        for i in range(lab.case.connections):
            lab.run_client(f"picoquic-client-{i}", command + target(lab.connect_port))


ALL = [Libtvl(), Ngtcp2(), Caddy(), Chromium(), Picoquic()]
