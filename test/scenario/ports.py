"""Ports for what listens later than they are chosen."""

import pathlib
import random
import socket

RANGE = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port(address="127.0.0.1"):
    """One below those that the kernel gives to connections: of these, another test's may have it by then."""
    low = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32768
    first, last = (low // 2, low - 20) if low > 12000 else (61100, 65500)
    for _ in range(100):
        port = random.randint(first, last)
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
            try:
                sock.bind((address, port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")
