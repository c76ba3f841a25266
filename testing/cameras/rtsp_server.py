"""A real RTSP server on loopback: GStreamer's, with an H.264 picture that can be steered.

Run by a Python that can import GstRtspServer (see scripts/fetch-rtsp-server), not by our own:

    PYTHON rtsp_server.py PORT [basic|digest USER PASSWORD]

It prints "ready" once it listens on rtsp://127.0.0.1:PORT/shop and then obeys lines on stdin:

    pattern NAME            a pattern of videotestsrc: ball (moves), black, smpte (stands still)
    size WIDTH HEIGHT       change the picture's size in mid-stream
"""

from __future__ import annotations

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

CAPS = "video/x-raw,format=I420,width={},height={},framerate=15/1"
PIPELINE = (
    "( videotestsrc name=picture is-live=true pattern={pattern} "
    "! capsfilter name=size caps={caps} "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 bitrate=800 "
    "! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


class Shop(GstRtspServer.RTSPMediaFactory):
    """Builds the pipeline once, shared by all viewers, and keeps hold of the elements that are steered."""

    def __init__(self) -> None:
        super().__init__()
        self.set_shared(True)
        self.element = None
        self.pattern, self.size = "ball", ("320", "240")

    def do_create_element(self, url: object) -> Gst.Element:
        self.element = Gst.parse_launch(PIPELINE.format(pattern=self.pattern, caps=CAPS.format(*self.size)))
        return self.element

    def handle(self, line: str) -> None:
        verb, *words = line.split()
        if verb == "pattern":
            self.pattern = words[0]
            if self.element is not None:
                Gst.util_set_object_arg(self.element.get_by_name("picture"), "pattern", self.pattern)
        elif verb == "size":
            self.size = (words[0], words[1])
            if self.element is not None:
                caps = Gst.Caps.from_string(CAPS.format(*self.size))
                self.element.get_by_name("size").set_property("caps", caps)


def add_login(server: GstRtspServer.RTSPServer, factory: Shop, scheme: str, user: str, password: str) -> None:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if scheme == "basic":
        auth.set_supported_methods(1)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    else:
        auth.set_supported_methods(2)
        auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


def main() -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory = Shop()
    if len(sys.argv) > 2:
        add_login(server, factory, *sys.argv[2:5])
    server.get_mount_points().add_factory("/shop", factory)
    if not server.attach(None):
        sys.exit(f"cannot listen on port {sys.argv[1]}")
    loop = GLib.MainLoop()

    def on_line(channel: GLib.IOChannel, condition: GLib.IOCondition) -> bool:
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return False
        factory.handle(line)
        return True

    GLib.io_add_watch(GLib.IOChannel.unix_new(0), GLib.IOCondition.IN | GLib.IOCondition.HUP, on_line)
    print("ready", flush=True)
    loop.run()


main()
