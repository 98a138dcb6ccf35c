#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints deploy/drivers.md, operation x driver: what each driver declares, and the test that backs it.

Usage: driver_table.py BUILD. Exits 1 when a cell is empty or a test is not there.
"""
import glob
import re
import subprocess
import sys

OPERATIONS = [  # name, for people, unit of an order
    ("create", "create, destroy, list, adopt", ""),
    ("shutdown", "shut down", ""),
    ("reboot", "reboot", ""),
    ("pause", "pause, resume", ""),
    ("suspend", "suspend to a file, restore", ""),
    ("vcpus", "VCPUs", "count"),
    ("cap", "CPU cap", "percent of one CPU"),
    ("weight", "CPU weight", "256 is normal"),
    ("memory", "memory", "KiB"),
    ("net_rate", "network rate (vif)", "KiB/s"),
    ("disk_rate", "disk rate", "KiB/s"),
    ("migrate", "migrate by a stream", ""),
    ("migrate_live", "migrate live", ""),
    ("self_fence", "fence itself when a lease ends", "ms, boot time"),
]
DRIVERS = ["xen-pv", "xen-pvh", "libvirt-xen", "libvirt-lxc", "libvirt-qemu", "model"]
mistakes = []


def declared(build):
    """{(driver, operation): (bool, reason)}"""
    found = {}
    lines = subprocess.run([build + "/tests/driver_abilities", build + "/lib/arbiter"],
                           check=True, capture_output=True, text=True).stdout.splitlines()
    for line in lines:
        driver, operation, able, reason = (line + " ").split(" ", 3)
        found[driver, operation] = (able == "yes", reason.strip())
    # The driver xen can be asked on a Xen host only: its own words are read.
    words = set()
    for path in glob.glob("node-agent/io/xen/*.c"):
        text = open(path, encoding="utf-8").read()
        own = re.findall(r"#define OWN_CAPABILITIES(?:.*\\\n)*.*", text)
        own += [line for line in re.findall(r".*\breturn [^;]*CAPABILITY_[^;]*;", text) if "case " not in line]
        words.update(re.findall(r"CAPABILITY_([A-Z_]+)", " ".join(own)))
    for operation, _, _ in OPERATIONS:
        for driver in ("xen-pv", "xen-pvh"):
            found[driver, operation] = (operation.upper() in words, "not in this version")
    # Declared for the host; the driver moves a PV guest by save and restore all the same.
    found["xen-pv", "migrate_live"] = (False, "")
    return found


def evidence():
    """{(driver, operation): (how, file, reason)}, with files and texts looked at."""
    found = {}
    for number, line in enumerate(open("tests/driver_evidence.txt", encoding="utf-8"), 1):
        if line.startswith("#") or not line.strip():
            continue
        fields = [field.strip() for field in line.split(" | ")]
        drivers, operations, how, path, text = fields[:5]
        try:
            backed = text in open(path, encoding="utf-8").read()
        except OSError:
            backed = False
        if not backed:
            mistakes.append(f"tests/driver_evidence.txt:{number}: {path} has no \"{text}\"")
        for driver in drivers.split():
            for operation in operations.split():
                found[driver, operation] = (how, path, fields[5] if len(fields) > 5 else "")
    return found


def cell(driver, operation, able, reason, proof):
    how, path, why = proof or ("", "", "")
    name = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    if how == "refused":
        why = why or reason
        if able:
            mistakes.append(f"{driver} {operation}: declared, and {path} is said to show the refusal")
        if not why:
            mistakes.append(f"{driver} {operation}: refused without a reason")
        return f"no: {why} (`{name}`)"
    if not able:
        if driver.startswith("xen-") and reason:
            return f"no: {reason}"
        mistakes.append(f"{driver} {operation}: not declared, and no test shows the refusal")
        return ""
    if not how:
        mistakes.append(f"{driver} {operation}: declared, and no test backs it")
        return ""
    words = {"guest": "yes", "model": "yes", "part": "yes, in part tested", "form": "declared, not run here",
             "declared": "only the declaration is tested", "written": "written, not yet passed in the lab",
             "pv": "declared, the scenario has PV guests only"}
    if how not in words:
        mistakes.append(f"{driver} {operation}: \"{how}\" is not among {', '.join(words)}, refused")
        return ""
    return f"{words[how]} (`{name}`)"


def main():
    able, proofs = declared(sys.argv[1]), evidence()
    print("# What each driver can do\n")
    print("Made by `tests/checks/driver_table.py` from what the drivers declare and from `tests/driver_evidence.txt`.")
    print("In brackets the test that backs it. *Declared, not run here*: what libvirt is told is tested, on no such host.")
    print("*In part tested*: our side of it is tested by itself. *Written, not yet passed in the lab*: `tests/xen` has a scenario")
    print("for it, which has not passed yet. What a driver does not declare is never planned.\n")
    print("| operation | unit | " + " | ".join(DRIVERS) + " |")
    print("| --- " * (len(DRIVERS) + 2) + "|")
    for operation, words, unit in OPERATIONS:
        cells = [cell(driver, operation, *able[driver, operation], proofs.get((driver, operation))) for driver in DRIVERS]
        print(f"| {words} | {unit or 'none'} | " + " | ".join(cells) + " |")
    print("\nUnits stop at the driver: a cap is percent of one CPU for libxl (0 there means none), a quota of µs in 100 ms for")
    print("containers and machines of libvirt; a weight is multiplied by 4 for the kernel's shares; rates are KiB/s everywhere.")
    print("\nlibvirt-qemu is a machine that QEMU emulates. With KVM the driver declares VCPUs too; no such host runs in our tests.")
    print("Its network rate holds in both directions where the kernel has sch_sfq, cls_fw and act_police, else for what the guest")
    print("receives, and the result says so; only the latter is measured in our tests.")
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    return 1 if mistakes else 0


sys.exit(main())
