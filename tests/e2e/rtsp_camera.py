#!/usr/bin/python3
"""rtsp_camera.py PORT - an RTSP server as a camera has it, H.264 and G.711 at rtsp://127.0.0.1:PORT/cam; says when it is
ready, and goes on until it is ended. Needs gst-rtsp-server for Python.
"""
import sys

import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PICTURES = ("( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=30/1 ! "
            "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! rtph264pay name=pay0 pt=96 "
            "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8 )")


def main():
    Gst.init(None)
    server, factory = GstRtspServer.RTSPServer(), GstRtspServer.RTSPMediaFactory()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory.set_launch(PICTURES)
    factory.set_shared(True)
    server.get_mount_points().add_factory("/cam", factory)
    if server.attach(None) == 0:
        sys.exit("the port cannot be had")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
