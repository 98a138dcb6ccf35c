#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does to the HTTP port of arbiterd what scrapers should not do; ends with 1 when good requests suffer.
Usage: metrics_garbage.py PORT COMMAND...   COMMAND asks arbiterd something while connections are held"""
import random
import socket
import subprocess
import sys
import threading
import time

PORT = int(sys.argv[1])
COMMAND = sys.argv[2:]
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def connect():
    return socket.create_connection(("127.0.0.1", PORT), timeout=10)


def connect_idle(reads):
    """Says nothing, or asks and does not read."""
    sock = socket.socket()
    sock.settimeout(10)
    if reads:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    sock.connect(("127.0.0.1", PORT))
    if reads:
        sock.sendall(REQUEST)
    return sock


def fetch():
    """One good request: status line and length."""
    with connect() as sock:
        sock.sendall(REQUEST)
        data = b""
        while True:
            more = sock.recv(65536)
            if not more:
                break
            data += more
    return data.split(b"\r\n", 1)[0], len(data)


def good(what, limit_s=15):
    until = time.monotonic() + limit_s
    while True:
        try:
            status, size = fetch()
            if b" 200 " in status and size > 1000:
                return
        except OSError as error:
            status = str(error)
        if time.monotonic() > until:
            sys.exit(f"after {what}: {status}")


def send(data):
    try:
        with connect() as sock:
            sock.settimeout(0.2)
            sock.sendall(data)
            try:
                while sock.recv(4096):
                    pass
            except socket.timeout:
                pass
    except OSError:
        pass


def is_open(sock):
    sock.setblocking(False)
    try:
        return sock.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def good_beside_held():
    """Half of the connections that the port takes (16) do nothing, and the others are served meanwhile."""
    held = [connect_idle(i % 2 != 0) for i in range(8)]
    good("8 connections that do nothing, held", 5)
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        sys.exit(f"beside 8 connections that do nothing, {COMMAND} ends with {done.returncode}: {done.stderr}")
    if not all(is_open(sock) for sock in held[::2]):
        sys.exit("the connections were not held as long as the good requests took")
    for sock in held:
        sock.close()


def main():
    rng = random.Random(7)
    for size in (0, 1, 7, 100, 5000, 100000):
        send(bytes(rng.randrange(256) for _ in range(size)))
    good("random bytes")
    for _ in range(100):
        data = bytearray(REQUEST)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        send(bytes(data))
    good("damaged requests")
    send(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999\r\n\r\n" + b"x" * 1000)
    send(b"POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n")
    send(b"GET " + b"/" * 100000 + b" HTTP/1.1\r\n\r\n")
    send(REQUEST * 50)
    good("requests of wrong sizes")

    # Those who connect and say nothing, or never read.
    good_beside_held()
    # More than the port takes; then they go away.
    held = []
    for i in range(40):
        try:
            held.append(connect_idle(i % 2 != 0))
        except OSError:
            break
    for sock in held:
        sock.close()
    good("connections that did nothing")

    # Gone while the page is being made.
    for _ in range(50):
        sock = connect()
        sock.sendall(REQUEST)
        sock.close()
    good("readers that left")

    results = []

    def scrape():
        try:
            results.append(fetch()[0])
        except OSError as error:
            results.append(str(error).encode())

    threads = [threading.Thread(target=scrape) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    served = sum(b" 200 " in status for status in results)
    if served < len(threads):
        sys.exit(f"of {len(threads)} at once {served} were served: {set(results)}")


main()
