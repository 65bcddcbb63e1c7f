"""Run by tests in a network namespace of their own.

holding.py 9000,u53 PROGRAM ARG…: binds these TCP and UDP ports of 127.0.0.1 and becomes the program, which
keeps them without knowing.
holding.py --connect FROM TO PORT COUNT: connects so often and says how many of the connections stay.
"""

import os
import socket
import sys
import time


def hold(ports):
    for port in filter(None, ports.split(",")):
        sock = socket.socket(type=socket.SOCK_DGRAM if port[0] == "u" else socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", int(port.lstrip("u"))))
        if port[0] != "u":
            sock.listen()
        os.set_inheritable(sock.detach(), True)


def stays(sock):
    """The greeting is all that ever comes to one who says nothing."""
    try:
        while sock.recv(4096):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        pass
    return False


def connect(source, target, port, count):
    socks = []
    for _ in range(int(count)):
        socks.append(socket.create_connection((target, int(port)), 5, (source, 0)))
        time.sleep(0.005)
    time.sleep(0.2)
    for sock in socks:
        sock.setblocking(False)
    print(sum(map(stays, socks)))


if __name__ == "__main__":
    if sys.argv[1] == "--connect":
        connect(*sys.argv[2:])
    else:
        hold(sys.argv[1])
        os.execv(sys.argv[2], sys.argv[2:])
