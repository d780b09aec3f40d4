"""real.py - one scenario played really, by svc-server, vlink and svc-player, beside the simulation.

Both are judged by the same program from the same report. The machine's own load and the moment at
which the links' clock begins are in the difference, so that it is shown and not judged, but for
what must hold anywhere: no picture decoded wrong.
"""
import json
import os
import subprocess

import scenarios as links

NAMESPACE = "live"
SCENARIO = "death"
PATIENCE_S = 30
ROWS = (("ssim_db", "mean SSIM, dB"), ("ssim_p5", "5th percentile of SSIM"),
        ("base_lost", "base-layer pictures lost"), ("frozen_ms", "frozen time, ms"),
        ("freezes", "freezes"), ("startup_ms", "start-up, ms"), ("switches", "layer switches"),
        ("demand_changes", "changes of what is asked for"), ("player_p95_ms", "first unit to display, p95, ms"), ("audio_lost", "sound packets lost"),
        ("broken", "pictures decoded wrong"))


def play(o, clip, scenario, folder):
    """The player's report of a real run."""
    import clip as demo
    from programs import Programs, free_udp_ports, make_pki, wait_for_udp
    os.makedirs(folder, exist_ok=True)
    pki = make_pki(os.path.join(folder, "pki"))
    report = os.path.join(folder, "player.json")
    if os.path.exists(report):
        os.remove(report)
    specs, changes = scenario.arguments(clip.bps, 1)
    port, *ports = free_udp_ports(1 + len(specs))
    with Programs(folder) as programs:
        server = programs.start("svc-server", [
            demo.program_path("svc-server"), "--cert", pki["server.pem"], "--key",
            pki["server.key"], "--listen", f"127.0.0.1:{port}", "--namespace", NAMESPACE, "--loop",
            "--start-on-viewer", "--latency", str(links.LATENCY_MS), clip.layered.path])
        wait_for_udp(server, port)
        vlink = programs.start("vlink", [
            demo.program_path("vlink"), "--start-on-traffic",
            *(word for spec, p in zip(specs, ports) for word in
              ("--link", f"{spec},listen=127.0.0.1:{p},to=127.0.0.1:{port}")),
            *(word for change in changes for word in ("--at", change))])
        for p in ports:
            wait_for_udp(vlink, p)
        player = programs.start("svc-player", [
            demo.program_path("svc-player"), "--headless", "--ca", pki["ca.pem"], "--json", report,
            "--duration", str(scenario.seconds),
            *(word for name, p in zip(scenario.names(), ports) for word in
              ("--path", f"local=127.0.0.1,to=127.0.0.1:{p},name={name}")),
            f"moqt://127.0.0.1:{ports[0]}/{NAMESPACE}"])
        player.wait(scenario.seconds + PATIENCE_S)
    return report


def lab(o, clip, scenario, *more):
    specs, changes = scenario.arguments(clip.bps, 1)
    done = subprocess.run(
        [os.path.join(o.build, "tests", "quality", "lab"), *clip.layered.arguments(), "--seconds",
         str(scenario.seconds - 1), "--latency", str(links.LATENCY_MS), *more,
         *(word for spec in specs for word in ("--link", spec)),
         *(word for change in changes for word in ("--at", change))],
        capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def check(o, clip):
    """{key: [real, simulated]}, or {"skipped": why}."""
    scenario = next(s for s in links.MADE_UP if s.name == SCENARIO)
    try:
        report = play(o, clip, scenario, os.path.join(o.work, "real"))
        real, simulated = lab(o, clip, scenario, "--report", report), lab(o, clip, scenario,
                                                                         "--decode")
    except Exception as e:  # the real programs need sockets and a machine that is fast enough
        print(f"\nskipped: the real run of {SCENARIO}: {e}")
        return {"skipped": str(e)}
    print(f"\n{SCENARIO}, {clip.name}, once:{'':<14}{'real':>10}{'simulated':>11}")
    for key, what in ROWS:
        print(f"  {what:<32}{real[key]:>10.4g}{simulated[key]:>11.4g}")
    for i, share in enumerate(real["residency"]):
        print(f"  {'on display: ' + ('S%d' % (i - 1) if i else 'not fresh'):<32}{share:>10.3f}"
              f"{simulated['residency'][i]:>11.3f}")
    for name in real["path_bytes"]:
        both = [bytes_of[name] / (sum(bytes_of.values()) or 1)
                for bytes_of in (real["path_bytes"], simulated["path_bytes"])]
        print(f"  {'share of the bytes: ' + name:<32}{both[0]:>10.3f}{both[1]:>11.3f}")
    return {key: [real[key], simulated[key]] for key in (*(k for k, _ in ROWS), "residency",
                                                         "path_bytes")}
