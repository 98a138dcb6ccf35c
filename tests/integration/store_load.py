#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Changes many images and remembers what was acknowledged; later compares with what is there.

  store_load.py FOLDER put COUNT LOG [REFUSALS]  until so many were answered or refused for the disk
  store_load.py FOLDER storm STOP_FILE LOG       until the file is there; each is sent until answered
  store_load.py FOLDER verify LOG                nothing lost, nothing there that was refused
  store_load.py FOLDER once LOG                  ... and each was applied exactly once
"""
import collections
import json
import os
import re
import sys

from api_client import Client, objects, pb, put_image

NAMES = 500
WINDOW = 64
folder, verb = sys.argv[1:3]
client = Client(folder)
refused = collections.Counter()


def changes(log, wanted):
    """Endless changes; the answers to them go to the log."""
    start = sum(1 for _ in open(log)) if os.path.exists(log) else 0
    number = start
    while wanted(number - start):
        yield put_image(f"img-{number % NAMES}", f"{number:08d} " + "x" * 200)
        number += 1


def note(log):
    def answer(message, reply):
        if reply.code == pb.REPLY_DONE:
            log.write(json.dumps([message.request_id.hex(), message.object.image.image,
                                  message.object.image.command_line[:8], reply.revision]) + "\n")
        else:
            refused[reply.reason] += 1
    return answer


def acknowledged(path):
    return [json.loads(line) for line in open(path)]


def verify(rows):
    newest = {}
    for _, name, content, revision in rows:
        newest[name] = max(newest.get(name, (0, "")), (revision, content))
    there = {item.object.image.image: item.object.image.command_line[:8]
             for item in client.pages(pb.METHOD_GET, kind=objects.OBJECT_KIND_IMAGE)
             if item.object.image.image.startswith("img-")}
    lost = [name for name, (_, content) in newest.items() if there.get(name, "") != content]
    more = [name for name in there if name not in newest]
    print(f"acknowledged={len(rows)} images={len(newest)} lost={len(lost)} unacknowledged={len(more)}")
    for name in lost[:5]:
        print(" ", name, "acknowledged", newest[name], "there", there.get(name))
    return not lost and not more


if verb == "put":
    limit = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    with open(sys.argv[4], "a") as log:
        count = int(sys.argv[3])
        client.stream(changes(sys.argv[4], lambda n: n < count and sum(refused.values()) < limit), WINDOW, note(log), 2.0)
    print(" ".join(f"refused-{reason}={count}" for reason, count in refused.items()) or "refused=0")
elif verb == "storm":
    with open(sys.argv[4], "a") as log:
        client.stream(changes(sys.argv[4], lambda n: not os.path.exists(sys.argv[3])), 16, note(log), 0.3)
    print(f"refused={sum(refused.values())} {dict(refused)}")
    sys.exit(1 if refused else 0)
elif verb == "verify":
    sys.exit(0 if verify(acknowledged(sys.argv[3])) else 1)
elif verb == "once":
    rows = acknowledged(sys.argv[3])
    good = verify(rows)
    applied = collections.Counter()
    for item in client.pages(pb.METHOD_EVENTS):
        found = re.search(r"\bimg-\d+\b", item.event.text)
        applied[found.group() if found else ""] += 1
    wanted = collections.Counter(name for _, name, _, _ in rows)
    wrong = [name for name in wanted if applied[name] != wanted[name]]
    print(f"applied={sum(applied[name] for name in wanted)} wrong={len(wrong)} {[(n, applied[n], wanted[n]) for n in wrong[:3]]}")
    for identity, name, content, revision in rows[:: max(1, len(rows) // 20)]:
        number = bytes.fromhex(identity)
        again = client.call(put_image(name, content + " " + "x" * 200 if len(content) == 8 else content, number))
        other = client.call(put_image(name, "something else", number))
        if again.code != pb.REPLY_DONE or again.revision != revision or other.code != pb.REPLY_CONFLICT:
            print("repeated:", again.code, again.text, again.revision, revision, "other:", other.code, other.text)
            good = False
    sys.exit(0 if good and not wrong else 1)
