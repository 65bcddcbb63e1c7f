"""Another responder on the LAN: python-zeroconf, and dnspython for the bytes.

    mdns_script.py browse SERVICE ADDRESS       what is announced, in 8 s at most: one JSON line
    mdns_script.py announce SERVICE ADDRESS DNSADDR     until stdin ends
"""

import json
import queue
import socket
import struct
import sys
import time

import dns.message
import dns.rdatatype
import zeroconf

PATIENCE = 8


def on_wire(service, address):
    """One answer of the service from the network, read by dnspython: names and TXT strings."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("", 5353))
        group = struct.pack("4s4s", socket.inet_aton("224.0.0.251"), socket.inet_aton(address))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        sock.settimeout(1)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            query = dns.message.make_query(service, "PTR", id=0, flags=0)
            sock.sendto(query.to_wire(), ("224.0.0.251", 5353))
            try:
                data, _ = sock.recvfrom(9000)
            except TimeoutError:
                continue
            said = dns.message.from_wire(data)
            pointers = [r for r in said.answer if r.rdtype == dns.rdatatype.PTR and str(r.name) == service]
            texts = [r for r in said.additional if r.rdtype == dns.rdatatype.TXT]
            if said.flags & dns.flags.QR and pointers and texts:
                return {
                    "pointer": str(pointers[0][0].target),
                    "owner": str(texts[0].name),
                    "ttl": texts[0].ttl,
                    "strings": [s.decode() for s in texts[0][0].strings],
                }
    return None


class Listener(zeroconf.ServiceListener):
    def __init__(self):
        self.names = queue.Queue()

    def add_service(self, _zc, _type, name):
        self.names.put(name)

    update_service = add_service

    def remove_service(self, *_):
        pass


def browse(service, address):
    """What zeroconf, which is no libp2p, makes of the announcement."""
    found, zc = Listener(), zeroconf.Zeroconf(interfaces=[address])
    zeroconf.ServiceBrowser(zc, service, found)
    try:
        name = found.names.get(timeout=PATIENCE)
        zc.get_service_info(service, name, timeout=1000)
        records = zc.cache.get_all_by_details(name, dns.rdatatype.TXT, 1)
        return {"name": name, "text": [r.text.hex() for r in records]}
    except queue.Empty:
        return None
    finally:
        zc.close()


def announce(service, address, dnsaddr):
    zc = zeroconf.Zeroconf(interfaces=[address])
    info = zeroconf.ServiceInfo(
        service,
        "a" * 40 + "." + service,
        port=9000,
        properties={"dnsaddr": dnsaddr},
        parsed_addresses=[address],
        server="elsewhere.local.",
    )
    zc.register_service(info, strict=False)
    print("announced", flush=True)
    sys.stdin.read()
    zc.close()


if __name__ == "__main__":
    what, service, address, *more = sys.argv[1:]
    if what == "announce":
        announce(service, address, *more)
    else:
        print(json.dumps({"wire": on_wire(service, address), "zeroconf": browse(service, address)}))
