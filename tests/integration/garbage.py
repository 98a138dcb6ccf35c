#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Throws garbage at the four sockets of arbiterd: garbage.py FOLDER CONTROL TELEMETRY API EVENTS WHAT
(endpoints tcp://127.0.0.1:PORT). Whoever sends it may be cut off; the others must not notice."""
import os
import random
import socket
import sys
import time

import zmq

from api_client import connect, objects, pb, put_image, request

folder, control, telemetry, api, events, what = sys.argv[1:]
everywhere = control, telemetry, api, events
server = f"{folder}/keys/arbiterd.pub"
dice = random.Random(int(os.environ.get("SEED", "1")))


def port(endpoint):
    return "127.0.0.1", int(endpoint.rsplit(":", 1)[1])


def key(name):
    return f"{folder}/keys/{name}.key"


def drain(link, seconds):
    """How many messages came, at most for so long."""
    count, until = 0, time.monotonic() + seconds
    while link.poll(max(0, int((until - time.monotonic()) * 1000))):
        link.recv_multipart()
        count += 1
    return count


def raw():
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15 + 32)
    for endpoint in everywhere:
        for start in (b"", greeting, b"GET / HTTP/1.1\r\n\r\n"):
            for _ in range(30):
                with socket.create_connection(port(endpoint)) as link:
                    try:
                        link.sendall(start + dice.randbytes(dice.randrange(1, 20000)))
                    except OSError:
                        pass  # it hung up in the middle


def strangers():
    for endpoint in everywhere:
        for name in ("mallory", "n1" if endpoint in (api, events) else "alice"):
            link = connect(zmq.DEALER, endpoint, key(name), server)
            link.send(request(pb.METHOD_STATUS).SerializeToString())
            assert drain(link, 0.5) == 0, f"{name} was answered at {endpoint}"
            link.close()


def messages():
    link = connect(zmq.DEALER, api, key("alice"), server)
    for _ in range(500):
        link.send(dice.randbytes(dice.randrange(1, 60000)))
    good = put_image("x", "y").SerializeToString()
    for _ in range(500):  # one byte of a good request is another one
        at = dice.randrange(len(good))
        link.send(good[:at] + dice.randbytes(1) + good[at + 1:])
    assert drain(link, 3) > 500, "garbage in a message is not answered"
    newer = request(pb.METHOD_STATUS)
    newer.header.version = newer.header.min_version = 99
    link.send(newer.SerializeToString())
    assert link.poll(2000)
    reply = pb.Reply.FromString(link.recv())
    assert reply.reason == objects.DESCRIPTOR.enum_types_by_name["Reason"].values_by_name["REASON_UNSUPPORTED"].number, reply
    agent = connect(zmq.DEALER, control, key("garbler"), server)
    for _ in range(500):
        agent.send(dice.randbytes(dice.randrange(1, 60000)))
    time_to_send = connect(zmq.PUB, telemetry, key("garbler"), server)
    for _ in range(200):
        time_to_send.send(dice.randbytes(dice.randrange(1, 60000)))
        drain(agent, 0.01)


def oversize():
    for size, endpoint, name in ((70 << 10, api, "alice"), (3 << 20, control, "garbler"), (64 << 20, api, "alice")):
        link = connect(zmq.DEALER, endpoint, key(name), server)
        link.send(bytes(size))
        assert drain(link, 0.3) == 0
    link = connect(zmq.DEALER, api, key("alice"), server)
    for _ in range(20):
        link.send_multipart([b"x"] * 5000)
    assert drain(link, 0.5) == 0


def silent():
    links = []
    for number in range(500):
        links.append(socket.create_connection(port(everywhere[number % 4])))
    print("500 silent connections", flush=True)
    sys.stdin.readline()  # kept until we are told


def flood():
    """Four connections of alice send all they can; bob asks now and then."""
    links = [connect(zmq.DEALER, api, key("alice"), server) for _ in range(4)]
    bob = connect(zmq.DEALER, api, key("bob"), server)
    one = request(pb.METHOD_GET, kind=objects.OBJECT_KIND_SERVICE).SerializeToString()
    sent, answers, waits, asked = 0, 0, [], 0.0
    until = time.monotonic() + 5
    while time.monotonic() < until:
        for link in links:
            for _ in range(200):
                try:
                    link.send(one, zmq.DONTWAIT)
                    sent += 1
                except zmq.Again:
                    break
            while link.poll(0):
                link.recv()
                answers += 1
        if asked and bob.poll(0):
            bob.recv()
            waits.append(time.monotonic() - asked)
            asked = 0.0
        if not asked:
            asked = time.monotonic()
            bob.send(one)
    print(f"alice sent {sent}, got {answers}; bob got {len(waits)} answers, slowest {max(waits, default=99) * 1000:.0f} ms")
    assert len(waits) > 3 and max(waits) < 1.0


globals()[what]()
