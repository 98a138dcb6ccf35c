# SPDX-License-Identifier: Apache-2.0
"""A pipelining client of the API for the tests of the store: keeps a window of requests under way,
sends one again under the same id until it is answered, and keeps a log of what was acknowledged."""
import os
import time

import zmq
from proto import client_pb2 as pb, objects_pb2 as objects


def read_keys(path):
    return dict(line.split() for line in open(path) if line.startswith(("public", "secret")))


def connect(kind, endpoint, key_file, server_file):
    keys = read_keys(key_file)
    socket = zmq.Context.instance().socket(kind)
    socket.curve_publickey, socket.curve_secretkey = keys["public"].encode(), keys["secret"].encode()
    socket.curve_serverkey = open(server_file).read().split()[-1].encode()
    socket.linger = 0
    socket.reconnect_ivl, socket.reconnect_ivl_max = 20, 100
    socket.connect(endpoint)
    return socket


def request(method, **fields):
    message = pb.Request(method=method, **fields)
    message.header.version = message.header.min_version = 1
    return message


def put_image(name, content, request_id=None):
    message = request(pb.METHOD_PUT, kind=objects.OBJECT_KIND_IMAGE, request_id=request_id or os.urandom(16))
    image = message.object.image
    image.version, image.image, image.format = 1, name, objects.IMAGE_FORMAT_MODEL
    image.command_line = content
    return message


class Client:
    def __init__(self, folder, who="root"):
        self.arguments = f"ipc://{folder}/api", f"{folder}/keys/{who}.key", f"{folder}/keys/arbiterd.pub"
        self.socket = connect(zmq.DEALER, *self.arguments)

    def call(self, message, seconds=10):
        """One request; sent again until it is answered."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.socket.send(message.SerializeToString())
            while self.socket.poll(500):
                reply = pb.Reply.FromString(self.socket.recv())
                if reply.request_id.strip(b"\0") == message.request_id.strip(b"\0"):
                    return reply
        raise SystemExit("no answer")

    def pages(self, method, **fields):
        after = 0
        while True:
            reply = self.call(request(method, after=after, **fields))
            assert reply.code == 0, reply.text
            yield from reply.items
            after = reply.next
            if not after:
                return

    def stream(self, messages, window, on_answer, resend_s=0.0):
        """Sends all messages, at most window under way; resend_s: again when unanswered so long."""
        waiting, source, more = {}, iter(messages), True
        while more or waiting:
            while more and len(waiting) < window:
                message = next(source, None)
                more = message is not None
                if more:
                    waiting[message.request_id] = [message, time.monotonic()]
                    self.socket.send(message.SerializeToString())
            for entry in waiting.values() if resend_s else ():
                if time.monotonic() - entry[1] > resend_s:
                    entry[1] = time.monotonic()
                    self.socket.send(entry[0].SerializeToString())
            if not self.socket.poll(50):
                continue
            while self.socket.poll(0):
                reply = pb.Reply.FromString(self.socket.recv())
                if reply.request_id in waiting:
                    on_answer(waiting.pop(reply.request_id)[0], reply)
