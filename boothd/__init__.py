"""The daemon between photo booths and slow, paid, unreliable AI services. Start reading at `boothd.service`."""

__version__ = "0.1.0"
