#!/usr/bin/python3
"""packaging.py ROOT BUILD - what is installed beside the programs is whole, and does what it says.

Everything lands where Debian looks for it. The unit is understood by systemd and confines well.
Completions complete: bash is asked as a person would, zsh's are parsed; both, and the manual, have
each option of --help. The Debian package's build depends on what the build needs.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

import material
import packaging_gst

PREFIX = "usr/local"
EXPOSURE_MAX = 12 # tenths of systemd's 0 to 10, where 10 is unsafe
PROGRAMS = ["svc-server", "svc-player", "svc-encode", "svc-info", "svc-cut", "svc-compare", "svc-load", "svc-token",
            "vlink", "vmm-shim", "tvl-echo", "tvl-explain", "qlog-explain"]


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def install(folder):
    shutil.rmtree(folder, ignore_errors=True)
    done = run("meson", "install", "-C", material.BUILD, "--no-rebuild", "--quiet", "--destdir", folder)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    with open(os.path.join(material.BUILD, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as f:
        prefix = re.search(r'"name": "prefix", "value": "([^"]*)"', f.read())[1]
    return os.path.join(folder, prefix.lstrip("/"))


def missing(root):
    """Files that should be there and are not."""
    pages = os.listdir(os.path.join(material.ROOT, "docs", "man"))
    wanted = [f"bin/{p}" for p in PROGRAMS]
    wanted += [f"share/man/man{p[-1]}/{p}" for p in pages if p != "meson.build"]
    wanted += [f"share/bash-completion/completions/{p}" for p in PROGRAMS if p != "qlog-explain"]
    wanted += [f"share/zsh/site-functions/_{p}" for p in PROGRAMS if p != "qlog-explain"]
    wanted += ["lib/systemd/system/svc-server.service",
               "lib/sysusers.d/svc-server.conf", "lib/sysctl.d/50-svc-server.conf",
               "share/doc/svc-suite/examples/svc-server.yaml", "share/doc/svc-suite/examples/traces/lte-fading.mm",
               "share/svc-suite/media/small.ivf"]
    return [w for w in wanted if not os.path.exists(os.path.join(root, w))]


def exposure(unit):
    """Tenths, by systemd-analyze; None without it."""
    if not shutil.which("systemd-analyze"):
        return None
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    print(found[0] if found else done.stderr)
    return round(float(found[1]) * 10) if found else 999


def group(name):
    """The system calls of one of systemd's groups."""
    calls = set()
    for line in run("systemd-analyze", "--no-pager", "syscall-filter", name).stdout.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            calls |= group(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


def call_rules(unit):
    """What the server lets itself do, and needs to confine itself, the unit lets it do."""
    if not shutil.which("systemd-analyze"):
        return
    with open(unit, encoding="utf-8") as f:
        filters = re.findall(r"(?m)^SystemCallFilter=(~?)(.*)", f.read())
    allowed = set()
    for negative, names in filters:
        calls = set().union(*({n} if n[0] != "@" else group(n) for n in names.split()))
        allowed = allowed - calls if negative else allowed | calls
    with open(os.path.join(material.ROOT, "server", "confine_calls.c"), encoding="utf-8") as f:
        wanted = set(re.findall(r'"([a-z0-9_]+)"', f.read()))
    wanted |= {"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"}
    yield f"the unit forbids {sorted(wanted - allowed)}", len(wanted) > 100 and wanted <= allowed


def helps(program):
    """Options of --help, those of its commands too."""
    said = run(program, "--help").stdout
    if re.match(r"usage: \S+ COMMAND", said):
        for command in re.findall(r"(?m)^  ([a-z][a-z-]*)  ", said):
            said += run(program, command, "--help").stdout
    return set(re.findall(r"(?m)^ +(?:-\w, )?(--[a-z-]+)", said))


def completes(file, program, *words):
    """What bash offers for the last of `words`."""
    script = f"""
        . /usr/share/bash-completion/bash_completion
        . {file}
        COMP_WORDS=({program} {" ".join(f"'{w}'" for w in words)}); COMP_CWORD={len(words)}
        COMP_LINE="${{COMP_WORDS[*]}}"; COMP_POINT=${{#COMP_LINE}}
        _{program.replace("-", "_")}
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    return run("bash", "-c", script).stdout.split()


def completion_rules(root):
    folder = os.path.join(root, "share/bash-completion/completions")
    if os.path.exists("/usr/share/bash-completion/bash_completion"):
        server = os.path.join(folder, "svc-server")
        yield "bash completes an option", completes(server, "svc-server", "--obj") == ["--objective"]
        yield "bash completes a value", completes(server, "svc-server", "--objective", "v") == ["video"]
        yield "bash completes a controller", "copa" in completes(server, "svc-server", "--cc", "co")
        shim = os.path.join(folder, "vmm-shim")
        yield "bash completes a command", completes(shim, "vmm-shim", "lo") == ["logs"]
        yield "bash completes a command's option", completes(shim, "vmm-shim", "up", "--det") == ["--detach"]
        yield "bash completes its value", completes(shim, "vmm-shim", "up", "--accel", "k") == ["kvm"]
        yield "bash completes a file", "run" in completes(server, "svc-server", "--cert", "ru")
    for name in PROGRAMS[:-2]: # tvl-explain has few
        options = helps(os.path.join(root, "bin", name))
        for shell in (os.path.join(folder, name), os.path.join(root, "share/zsh/site-functions/_" + name)):
            with open(shell, encoding="utf-8") as f:
                text = f.read()
            lacking = [o for o in options if not re.search(re.escape(o) + r"[=\[ \"]", text)]
            yield f"{shell[-40:]} lacks {lacking}", options and not lacking
    if shutil.which("zsh"):
        for file in glob.glob(os.path.join(root, "share/zsh/site-functions/_*")):
            yield f"zsh parses {os.path.basename(file)}", run("zsh", "-n", file).returncode == 0


def page_rules(root):
    """What --help offers, the manual explains."""
    for name in PROGRAMS[:-1]:
        page = os.path.join(material.ROOT, "docs", "man", name + ".1")
        with open(page, encoding="utf-8") as f:
            text = f.read().replace("\\-", "-")
        options = helps(os.path.join(root, "bin", name))
        lacking = sorted(o for o in options if not re.search(re.escape(o) + r"(?![a-z-])", text))
        yield f"{name}(1) lacks {lacking}", not lacking


def dependency_rules():
    """What the build needs, the Debian package's build needs, but for what only tests want."""
    only_tests = {"build-essential", "ninja-build", "libcmocka-dev", "libnghttp3-dev"}
    with open(os.path.join(material.ROOT, "tools", "packages.txt"), encoding="utf-8") as f:
        needed = set(re.findall(r"(?m)^build (\S+)", f.read())) - only_tests
    with open(os.path.join(material.ROOT, "debian", "control"), encoding="utf-8") as f:
        fields = re.search(r"Build-Depends:(.*?)\n\n", f.read(), re.S)[1]
    declared = {re.sub(r"[ (].*", "", d.strip(), flags=re.S) for d in fields.split(",")}
    yield f"debian/control lacks {sorted(needed - declared)}", needed <= declared


def slice_rules(root):
    """An installed vmm-shim reads the installed examples, with what is known of systems."""
    for name in ("two-path", "four-systems", "real-time", "slice-a"):
        done = run(os.path.join(root, "bin/vmm-shim"), "match",
                   os.path.join(root, "share/doc/svc-suite/examples", name + ".yaml"))
        yield f"installed {name}.yaml: {done.stderr}", done.returncode == 0 and done.stdout


def main():
    destination = os.path.join(material.folder("packaging"), "root")
    root = install(destination)
    unit = os.path.join(root, "lib/systemd/system/svc-server.service")
    lacks, exposed = missing(root), exposure(unit)
    rules = [(f"installed: {lacks} missing", not lacks),
             (f"exposed: {exposed} tenths", exposed is None or exposed <= EXPOSURE_MAX)]
    os.chdir(material.ROOT)
    rules += [*completion_rules(root), *page_rules(root), *dependency_rules(), *call_rules(unit),
              *slice_rules(root), *packaging_gst.rules(root, destination)]
    for rule, holds in rules:
        if not holds:
            print("WRONG:", rule)
    print(f"{len(rules)} rules")
    return 0 if all(holds for _, holds in rules) else 1


if __name__ == "__main__":
    sys.exit(main())
