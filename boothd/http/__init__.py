"""Tools for routes; they know no room.

Nothing here imports klein or the reactor before `make_site` is called."""

from boothd.http.callbacks import Callbacks
from boothd.http.health import health_routes
from boothd.http.listener import Listener, raise_file_limit
from boothd.http.logins import Logins
from boothd.http.media import Media
from boothd.http.pages import Pages
from boothd.http.passwords import hash_password, verify_password
from boothd.http.request import Request
from boothd.http.routes import FileBody, Reply, Route, json_reply, text_reply
from boothd.http.signing import Signer, signing_key
from boothd.http.site import Site, make_site
from boothd.http.upload import Admission, Gate, Sink, Upload

__all__ = [
    "Admission",
    "Callbacks",
    "FileBody",
    "Gate",
    "Listener",
    "Logins",
    "Media",
    "Pages",
    "Reply",
    "Request",
    "Route",
    "Signer",
    "Sink",
    "Site",
    "Upload",
    "hash_password",
    "health_routes",
    "json_reply",
    "make_site",
    "raise_file_limit",
    "signing_key",
    "text_reply",
    "verify_password",
]
