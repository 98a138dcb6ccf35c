#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Answers of "arbiter optimize" against a second opinion: every answer is checked from its caps
alone, small problems are solved again by dynamic programming over all caps, and the answers in
tests/golden/optimize must stay what they are. Usage: optimize_check.py ARBITER FOLDER"""
import json
import math
import random
import subprocess
import sys
import tempfile

ARBITER, FOLDER = sys.argv[1], sys.argv[2]
bad = 0


def say(text):
    global bad
    bad += 1
    print("FAILED", text)


def call(problem, *words):
    done = subprocess.run([ARBITER, "optimize", "-", "-o", "json", *words],
                          input=json.dumps(problem), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"exit {done.returncode}: {done.stderr}\n{json.dumps(problem)}")
    return json.loads(done.stdout)


# ---- the mathematics, written a second time ----

def log_level(curve, x):
    a, b, w = curve.get("a", 10), curve.get("b", 1), curve.get("w", 0.5)
    u = a * (b - min(x, 100 * b))
    s = math.hypot(1, u)
    return math.log(w) + (math.log1p(u / s) if u > 0 else -math.log(s) - math.log(s - u))


def predict(model, r):
    if model["kind"] == "reciprocal":
        return model["demand_pct"] / r
    if model["kind"] == "ps":
        return model["a_pct"] / (r - model["b_pct"]) if r > model["b_pct"] else math.inf
    caps, xs = model["cap_pct"], model["x"]
    if r <= caps[0]:
        return xs[0]
    for i in range(1, len(caps)):
        if r <= caps[i]:
            part = (r - caps[i - 1]) / (caps[i] - caps[i - 1])
            return 1 / (1 / xs[i - 1] + part * (1 / xs[i] - 1 / xs[i - 1]))
    return xs[-1]


def r_of(problem, service, caps):
    speeds = {n["name"]: n.get("speed", 1) for n in problem["nodes"]}
    given = [c * speeds[vm["node"]] for c, vm in zip(caps, service["vms"])]
    if service.get("coupling") == "gang":
        return len(caps) * min(given)
    return sum(given)


def check(problem, answer, name):
    used = {n["name"]: 0 for n in problem["nodes"]}
    total = kept = 0
    floor = 0.5 + problem.get("guard", 0)
    all_kept = True
    for service, own in zip(problem["services"], answer["services"]):
        caps = [vm["cap_pct"] for vm in own["vms"]]
        for cap, vm in zip(caps, service["vms"]):
            used[vm["node"]] += cap
            if "levels" in vm:
                ok = cap in [level["cap_pct"] for level in vm["levels"]]
            else:
                ok = vm.get("min_cap_pct", 1) <= cap <= vm.get("max_cap_pct", 1e9)
            if not ok:
                say(f"{name}: {own['name']}: cap {cap} is none of its caps")
        if service.get("coupling") == "gang" and len(set(caps)) != 1:
            say(f"{name}: {own['name']}: caps of a gang differ: {caps}")
        r = r_of(problem, service, caps)
        curve = service.get("curve", {})
        x = min(predict(service["model"], r), 100 * curve.get("b", 1))
        logs = log_level(curve, x)
        for key, value in (("r_pct", r), ("x", x), ("level", math.exp(logs))):
            if not math.isclose(own[key], value, rel_tol=1e-9, abs_tol=1e-12):
                say(f"{name}: {own['name']}: {key} is {own[key]}, not {value}")
        weight = service.get("weight", 1)
        total += weight * logs
        held = math.exp(logs) >= floor - 1e-9
        kept += weight if held else 0
        all_kept = all_kept and held
        if (own["missing_pct"] != 0) == held:
            say(f"{name}: {own['name']}: missing {own['missing_pct']} at {own['level']}")
    for node in problem["nodes"]:
        if used[node["name"]] > node["cpu_pct"]:
            say(f"{name}: node {node['name']} gives {used[node['name']]} of {node['cpu_pct']}")
    weights = sum(s.get("weight", 1) for s in problem["services"])
    for key, value in (("log_sigma", total), ("mean_level", math.exp(total / weights)),
                       ("gap", answer["upper_bound"] - total)):
        if not math.isclose(answer[key], value, rel_tol=1e-9, abs_tol=1e-9):
            say(f"{name}: {key} is {answer[key]}, not {value}")
    if answer["upper_bound"] < total - 1e-9 or answer["kept_weight_bound"] < kept - 1e-9:
        say(f"{name}: a bound is below the answer")
    if problem.get("guard", 0) == 0 and not math.isclose(answer["kept_weight"], kept):
        say(f"{name}: kept weight is {answer['kept_weight']}, not {kept}")
    floors = problem.get("objective") == "floors" and problem.get("guard", 0) == 0
    if floors and answer["floors_feasible"] != all_kept:
        say(f"{name}: floors_feasible is {answer['floors_feasible']}")
    return total, kept


def best(problem):
    """One node, VMs alone: the best (kept weight, value of the kept, value of the others)."""
    capacity = problem["nodes"][0]["cpu_pct"]
    product = problem["objective"] == "product"
    table = [(0, 0, 0)] * (capacity + 1)
    for service in problem["services"]:
        vm, weight = service["vms"][0], service["weight"]
        rows = []
        for cap in range(vm["min_cap_pct"], min(vm["max_cap_pct"], capacity) + 1):
            logs = log_level(service["curve"], predict(service["model"], cap))
            held = not product and math.exp(logs) >= 0.5 - 1e-12
            rows.append((cap, (weight if held else 0, weight * logs if held or product else 0,
                               0 if held or product else weight * logs)))
        new = [None] * (capacity + 1)
        for c in range(capacity + 1):
            for cap, value in rows:
                if cap > c:
                    break
                if table[c - cap] is not None:
                    sums = tuple(a + b for a, b in zip(table[c - cap], value))
                    if new[c] is None or sums > new[c]:
                        new[c] = sums
        table = new
    return table[capacity]


def random_model(rng):
    kind = rng.choice(["reciprocal", "ps", "table"])
    if kind == "reciprocal":
        return {"kind": kind, "demand_pct": rng.randint(10, 60)}
    if kind == "ps":
        return {"kind": kind, "a_pct": rng.randint(2, 15), "b_pct": rng.randint(5, 40)}
    count = rng.randint(1, 6)
    return {"kind": kind, "cap_pct": sorted(rng.sample(range(5, 90), count)),
            "x": sorted((round(rng.uniform(0.3, 3), 3) for _ in range(count)), reverse=True)}


def random_problem(rng):
    services = []
    for i in range(rng.randint(2, 5)):
        low = rng.randint(1, 8)
        services.append({
            "name": f"s{i}", "weight": rng.choice([1, 2, 4]),
            "curve": {"a": rng.choice([5, 10, 20]), "b": rng.choice([1, 1, 0.8]), "w": 0.5},
            "model": random_model(rng), "coupling": "single",
            "vms": [{"node": "n1", "min_cap_pct": low,
                     "max_cap_pct": low + rng.randint(20, 100), "mem_mib": 0}]})
    return {"version": 1, "objective": rng.choice(["floors", "product"]),
            "nodes": [{"name": "n1", "cpu_pct": rng.randint(60, 160)}], "services": services}


def check_random():
    rng = random.Random(4)
    for number in range(40):
        problem = random_problem(rng)
        answer = call(problem)
        total, kept = check(problem, answer, f"random {number}")
        want = best(problem)
        value = want[1] + want[2]
        if problem["objective"] == "floors" and not math.isclose(kept, want[0]):
            say(f"random {number}: kept weight {kept}, possible {want[0]}: {json.dumps(problem)}")
        elif not math.isclose(total, value, rel_tol=1e-9, abs_tol=1e-9):
            say(f"random {number}: value {total}, possible {value}: {json.dumps(problem)}")
        elif answer["upper_bound"] < value - 1e-9:
            say(f"random {number}: bound {answer['upper_bound']} below {value}")


# ---- what is known in closed form ----

def alone(name, demand, weight=1, node="n1", least=1):
    return {"name": name, "weight": weight, "curve": {"a": 10, "b": 1, "w": 0.5},
            "model": {"kind": "reciprocal", "demand_pct": demand}, "coupling": "single",
            "vms": [{"node": node, "min_cap_pct": least, "max_cap_pct": 3200, "mem_mib": 512}]}


def one_node(capacity, services, objective="floors", **more):
    return {"version": 1, "objective": objective,
            "nodes": [{"name": "n1", "cpu_pct": capacity, **more}], "services": services}


def check_known():
    answer = call(one_node(3200, [alone(f"s{i}", 400) for i in range(4)]))
    if [s["r_pct"] for s in answer["services"]] != [800] * 4:
        say("four equal services do not get equal shares")
    if not math.isclose(math.exp(answer["log_sigma"]), 0.961723, rel_tol=1e-6):
        say(f"sigma of four equal services is {math.exp(answer['log_sigma'])}")
    # Ten equal services at 95 %: the product sacrifices one at about .383 of its need.
    answer = call(one_node(9500, [alone(f"s{i}", 1000) for i in range(10)], "product"))
    low = [s for s in answer["services"] if s["level"] < 0.5]
    if len(low) != 1 or abs(low[0]["r_pct"] - 383) > 4:
        say(f"product at 95 %: {[s['r_pct'] for s in answer['services']]}")
    # A sum over two nodes; a gang; a slow node.
    pair = alone("pair", 300)
    pair.update(coupling="sum", vms=[dict(pair["vms"][0], node=n) for n in ("n1", "n2")])
    two = {"version": 1, "nodes": [{"name": "n1", "cpu_pct": 200},
                                   {"name": "n2", "cpu_pct": 200, "speed": 0.5}],
           "services": [pair]}
    answer = call(two)
    check(two, answer, "sum")
    if not answer["services"][0]["r_pct"] == 300:
        say(f"a sum over two nodes has {answer['services'][0]['r_pct']}, not 300")
    pair["coupling"] = "gang"
    answer = call(two)
    check(two, answer, "gang")
    if not answer["services"][0]["r_pct"] == 200:
        say(f"a gang over two nodes has {answer['services'][0]['r_pct']}, not 200")
    # Levels: nothing between them.
    steps = alone("steps", 100)
    steps["vms"] = [{"node": "n1", "levels": [{"cap_pct": c, "vcpus": 1, "mem_mib": 512}
                                              for c in (60, 100, 150, 200)]}]
    answer = call(one_node(190, [steps]))
    check(one_node(190, [steps]), answer, "levels")
    if answer["services"][0]["vms"][0]["cap_pct"] != 150:
        say(f"of the levels 60, 100, 150, 200 under 190: {answer['services'][0]['vms']}")
    # Memory goes with the level, and counts.
    steps["vms"][0]["levels"][2]["mem_mib"] = 2048
    answer = call(one_node(190, [steps], mem_mib=1024))
    if answer["services"][0]["vms"][0]["cap_pct"] != 100:
        say(f"a level with more memory than the node: {answer['services'][0]['vms']}")
    # What it had is kept for less gain than the dead band.
    held = one_node(500, [alone("a", 100), alone("b", 100)])
    held["dead_band"] = 0.5
    for service, cap in zip(held["services"], (240, 260)):
        service["vms"][0]["previous_cap_pct"] = cap
    answer = call(held)
    if [s["r_pct"] for s in answer["services"]] != [240, 260]:
        say(f"the dead band holds nothing: {[s['r_pct'] for s in answer['services']]}")
    # A table is clamped outside of its points, and that is flagged.
    flat = one_node(1000, [dict(alone("t", 1), model={"kind": "table", "cap_pct": [100, 200],
                                                     "x": [2, 0.9]})])
    answer = call(flat)
    check(flat, answer, "table")
    if answer["services"][0]["x"] != 0.9:
        say(f"a table outside of its points gives {answer['services'][0]['x']}")


def check_room():
    # 3200 - 100 = 31 times 100, and memory for 20 beside the one that is there.
    for memory, want in ((0, 31), (21 * 512, 20)):
        more = {"mem_mib": memory} if memory else {}
        answer = call(one_node(3200, [alone("s", 100)], **more), "--how-many", "s")
        if (answer["more"], answer["more_bound"], answer["exact"]) != (want, want, True):
            say(f"how many: {answer}, not {want}")
    # On a node of half the speed each takes 200.
    problem = one_node(1000, [alone("s", 100)])
    problem["nodes"].append({"name": "n2", "cpu_pct": 500, "speed": 0.5})
    answer = call(problem, "--how-many", "s")
    if (answer["more"], answer["more_bound"]) != (11, 11):
        say(f"how many on nodes of two speeds: {answer}")
    answer = call(one_node(150, [alone("s", 100), alone("t", 100)]), "--how-many", "s")
    if answer["more"] != 0 or "below its floor" not in answer["why"]:
        say(f"how many when floors do not fit: {answer}")
    pair = alone("pair", 300)
    pair.update(coupling="sum", vms=[dict(pair["vms"][0], node=n) for n in ("n1", "n2")])
    problem = {"version": 1, "nodes": [{"name": n, "cpu_pct": 1000} for n in ("n1", "n2")],
               "services": [pair, alone("s", 200)]}
    answer = call(problem, "--how-many", "pair")
    if not answer["more"] == answer["more_bound"] == 5:
        say(f"how many of a sum: {answer}")
    problem["services"][0]["coupling"] = "gang"
    answer = call(problem, "--how-many", "s")
    if (answer["more"], answer["more_bound"]) != (7, 7):
        say(f"how many beside a gang: {answer}")


def equal(one, other):
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(
            key in ("time_ms", "upper_bound", "gap") or equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return one == other


def check_golden(name, path):
    done = subprocess.run([ARBITER, "optimize", path, "-o", "json"], capture_output=True,
                          text=True)
    golden = f"{FOLDER}/{name}.answer.json"
    if done.returncode != 0:
        say(f"{name}: exit {done.returncode}: {done.stderr}")
        return
    with open(golden, encoding="utf-8") as file:
        if not equal(json.loads(done.stdout), json.load(file)):
            with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as out:
                out.write(done.stdout)
            say(f"{name}: diff {golden} {out.name}")


check_known()
check_room()
check_random()
for pair in sys.argv[3:]:
    check_golden(*pair.split("=", 1))
print("40 random problems, closed forms, golden answers:", "FAILED" if bad else "as they must be")
sys.exit(1 if bad else 0)
