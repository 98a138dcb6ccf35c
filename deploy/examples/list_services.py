#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lists services and gives one another weight: list_services.py API KEY SERVER_PUB [SERVICE WEIGHT]

Needs python3-zmq, python3-protobuf and modules that this makes from our .proto files:
  protoc --proto_path=. --python_out=OUT proto/*.proto      (then PYTHONPATH=OUT)
"""
import os
import sys

import zmq
from proto import client_pb2 as pb, objects_pb2 as objects

api, key_file, server_file = sys.argv[1:4]
keys = dict(line.split() for line in open(key_file) if line.startswith(("public", "secret")))
socket = zmq.Context.instance().socket(zmq.REQ)
socket.curve_publickey, socket.curve_secretkey = keys["public"].encode(), keys["secret"].encode()
socket.curve_serverkey = open(server_file).read().split()[-1].encode()
socket.setsockopt(zmq.RCVTIMEO, 5000)
socket.connect(api)


def call(method, **fields):
    request = pb.Request(method=method, **fields)
    request.header.version = request.header.min_version = 1
    socket.send(request.SerializeToString())
    reply = pb.Reply.FromString(socket.recv())
    if reply.code != 0:
        sys.exit(f"{reply.text}")
    return reply


services = call(pb.METHOD_GET, kind=objects.OBJECT_KIND_SERVICE).items
for item in services:
    print(item.object.service.service, "weight", item.object.service.objective.weight)
for item in services:
    if len(sys.argv) > 5 and item.object.service.service == sys.argv[4]:
        item.object.service.objective.weight = int(sys.argv[5])
        print(call(pb.METHOD_PUT, kind=objects.OBJECT_KIND_SERVICE, object=item.object, request_id=os.urandom(16)).text)
