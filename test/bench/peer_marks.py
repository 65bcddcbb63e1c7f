"""What other libp2p implementations take for what ghoard does as a peer, measured on this machine.

Functions for a benchmark to call beside its own measurement, so that a ratio is of one run. Each starts the
nodes it needs (`make interop` installs them) and ends them; `unavailable(KIND)` says why there is none.
As a program: prints all of them.
"""

import contextlib
import json
import pathlib
import statistics
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop"))

from nodes import Node, NodeError, percentile, unavailable  # noqa: E402

KIB, MIB = 1 << 10, 1 << 20


def _spread(values):
    return {"p50": percentile(values, 50), "p99": percentile(values, 99), "n": len(values)}


def request_response(kind="go", size=2 * KIB, times=2000, warm=200):
    """µs of a request and an answer of that size, on streams of one connection: p50, p99, n."""
    with Node(kind) as asker, Node(kind) as holder:
        asker.dial(holder.addr)
        asker.ask("download", peer=holder.peer, bytes=size, times=warm)
        took = asker.ask("download", peer=holder.peer, bytes=size, times=times, timeout=300)
        return _spread(took["us"])


def set_up(kind="go", times=100):
    """ms from the TCP connection to an identify that is read, between nodes that run already: p50, p99, n."""
    took = []
    with Node(kind) as dialer, Node(kind) as listener:
        for _ in range(times + 5):
            took.append(dialer.dial(listener.addr)["identify_ms"])
            dialer.ask("close", peer=listener.peer)
    return _spread(took[5:])


def body(kind, size=8 * MIB, times=10):
    """MB/s of one body that the listener sends: the median and the best of so many, over one connection."""
    with Node(kind) as asker, Node(kind) as holder:
        asker.dial(holder.addr)
        asker.ask("download", peer=holder.peer, bytes=size, times=2)
        took = asker.ask("download", peer=holder.peer, bytes=size, times=times, timeout=300)["us"]
        return {"median": size / statistics.median(took), "best": size / min(took)}


def download(addr, size=8 * MIB, times=10):
    """MB/s of one body that the peer at addr sends a go node by the tests' protocol: the median."""
    with Node("go") as asker:
        peer = asker.dial(addr)["peer"]
        asker.ask("download", peer=peer, bytes=size, times=2)
        took = asker.ask("download", peer=peer, bytes=size, times=times, timeout=300)["us"]
        return size / statistics.median(took)


def member_set_up(addr, secret, network_id, times=100):
    """ms from the TCP connection to an opened peer_info, a go member dialling addr: p50, p99, n."""
    took = []
    with Node("go") as dialer:
        dialer.ask("join", secret=secret, network_id=network_id)
        for _ in range(2 * times + 10):
            made = dialer.dial(addr)
            # the door may have dialled the node that just left: then the control stream is the door's
            with contextlib.suppress(NodeError):
                took.append(made["connect_ms"] + dialer.ask("open", peer=made["peer"])["ms"])
            dialer.ask("close", peer=made["peer"])
            if len(took) == times + 5:
                break
        else:
            raise NodeError(f"{len(took)} of {2 * times + 10} connections were the dialer's")
    return _spread(took[5:])


def member_fetch(addr, secret, network_id, key, times=100):
    """A go member fetches an entry from the peer at addr, by key: µs (p50, p99, n) and MB/s of the median."""
    with Node("go") as asker:
        asker.ask("join", secret=secret, network_id=network_id)
        peer = asker.dial(addr)["peer"]
        asker.ask("open", peer=peer)
        got = asker.ask("fetch", peer=peer, key=key, times=times, timeout=300)
        return {**_spread(got["us"]), "mbps": got["size"] / statistics.median(got["us"])}


def main():
    marks = {
        "2 KiB request and response, us": lambda kind: request_response(kind),
        "connect and identify, ms": lambda kind: set_up(kind, 30),
        "8 MiB body, MB/s": lambda kind: body(kind),
    }
    for name, measure in marks.items():
        for kind in ("go", "js", "py", "rust"):
            found = unavailable(kind) or json.dumps(measure(kind))
            print(f"{name:32} {kind:5} {found}", flush=True)


if __name__ == "__main__":
    main()
