"""Make `twistd` see boothd's plugin in this environment, from a checkout.

An editable install maps packages by name and so never adds `twistd-plugin/` to `twisted.plugins`; one .pth line does.
The plugin cache is written here once, so that a daemon under another user does not try.
"""

import pathlib
import sysconfig

checkout = pathlib.Path(__file__).resolve().parent.parent
site = pathlib.Path(sysconfig.get_paths()["purelib"])
(site / "boothd_plugin.pth").write_text(f"{checkout / 'twistd-plugin'}\n")
