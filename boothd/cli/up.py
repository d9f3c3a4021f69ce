"""`boothd up`: run the daemon."""

import argparse

from boothd.cli.failed import UNUSABLE_CONFIG, Failed
from boothd.cli.homes import find_home
from boothd.config import ConfigError


def run(args: argparse.Namespace) -> int:
    try:
        home = find_home(args.home)
        from boothd import service

        return service.run(home.path, args.listen)
    except (Failed, ConfigError) as error:
        raise Failed(str(error), UNUSABLE_CONFIG) from None
