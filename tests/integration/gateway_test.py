# SPDX-License-Identifier: Apache-2.0
"""The gateway with real HAProxies and HTTP servers on loopback: gateway_test.py PROBE [NAME...]."""
import http.client
import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PROBE = sys.argv[1]
ADDRESS = "127.0.0.1"


def free_port():
    with socket.socket() as s:
        s.bind((ADDRESS, 0))
        return s.getsockname()[1]


def wait_for(what, condition, limit_s=15):
    """Returns what the condition returned once it is true."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError("not within %d s: %s" % (limit_s, what() if callable(what) else what))


class Server:
    """A guest: counts requests; /slow?S answers after S seconds, other paths after delay(n)."""

    def __init__(self, port=None, delay=lambda n: 0.0, status=200):
        outer = self
        self.count, self.delay, self.status = 0, delay, status
        self.port = port or free_port()
        lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.path != "/health":
                    with lock:
                        outer.count += 1
                        n = outer.count
                    time.sleep(float(self.path[6:]) if self.path.startswith("/slow?")
                               else outer.delay(n))
                status = 200 if self.path == "/health" else outer.status
                body = b"ok"
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *args):
                pass  # HAProxy closes its idle connections

        self.http = Listener((ADDRESS, self.port), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


class Gateway:
    def __init__(self, folder):
        self.process = subprocess.Popen([PROBE, folder], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self.status, self.metrics, self.statuses = {}, {}, []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            m = re.match(r"status (\S+) done=(\d+) up=(\d) servers=(\d+) problem=(.*)", line)
            if m:
                status = (int(m[2]), m[3] == "1", int(m[4]), m[5])
                self.status[m[1]] = status
                self.statuses.append(status)
            elif line.startswith("metrics "):
                words = line.split()
                self.metrics[words[1]] = (time.monotonic(), {
                    k: (float(v.split("@")[0]), int(v.split("@")[1]))
                    for k, v in (w.split("=") for w in words[2:])})

    def order(self, line):
        self.process.stdin.write(line + "\n")

    def apply(self, service, operation, port, servers, path="/health", window_ms=2000,
              wait_up=None):
        """servers: (vm, port, weight[, "drain"])."""
        words = ["%s,%s,%d,%d%s" % (s[0], ADDRESS, s[1], s[2], ",drain" if len(s) > 3 else "")
                 for s in servers]
        self.order("apply %s %d %s:%d %s 200 %d %s"
                   % (service, operation, ADDRESS, port, path, window_ms, " ".join(words)))
        if wait_up is not None:
            self.wait_done(service, operation, wait_up)

    def wait_done(self, service, operation, servers_up):
        wait_for(lambda: "%s: operation %d with %d servers; last: %s"
                 % (service, operation, servers_up, self.status.get(service)),
                 lambda: self.status.get(service, (0,))[0] >= operation
                 and self.status[service][1] and self.status[service][2] == servers_up
                 and not self.status[service][3])

    def fresh_metrics(self, service):
        since = time.monotonic()
        return wait_for("metrics of " + service,
                        lambda: self.metrics.get(service, (0,))[0] > since
                        and self.metrics[service][1])

    def remove(self, service, operation):
        self.order("remove %s %d" % (service, operation))
        wait_for("removal of " + service,
                 lambda: self.status.get(service, (0,))[0] >= operation
                 and not self.status[service][1])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0  # sanitizers report by the status


def get(port, path="/", timeout=30):
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


class Stream:
    """Users that ask all the time, half of them over one lasting connection each."""

    def __init__(self, port, users=4):
        self.port, self.times, self.errors, self.going = port, [], [], True
        self.threads = [threading.Thread(target=self.user, args=(i % 2 == 0,))
                        for i in range(users)]
        for thread in self.threads:
            thread.start()

    def user(self, keep):
        connection = None
        while self.going:
            start = time.monotonic()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(ADDRESS, self.port, timeout=10)
                connection.request("GET", "/")
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.errors.append("status %d" % response.status)
                closed = response.getheader("Connection") == "close"
            except OSError as error:
                self.errors.append(repr(error))
                closed = True
            except http.client.HTTPException as error:
                self.errors.append(repr(error))
                closed = True
            self.times.append(time.monotonic() - start)
            if closed or not keep:
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def wait_more(self, requests):
        goal = len(self.times) + requests
        wait_for("%d more requests" % requests, lambda: len(self.times) >= goal)

    def stop(self):
        self.going = False
        for thread in self.threads:
            thread.join()
        return self.errors


def haproxy_pids(folder, service):
    """Every process whose working directory is the entry point's folder."""
    pids = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink("/proc/%s/cwd" % pid) == os.path.join(folder, service):
                pids.add(int(pid))
        except OSError:
            pass
    return pids


def master_pid(folder, service):
    with open(os.path.join(folder, service, "haproxy.pid")) as f:
        return int(f.read() or 0)


def admin(folder, service, command):
    """Over HAProxy's own socket, beside the gateway."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(os.path.join(folder, service, "admin.sock"))
        s.sendall((command + "\n").encode())
        s.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: s.recv(65536), b"")).decode()


def server_names(folder, service):
    return [line.split(",")[1]
            for line in admin(folder, service, "show stat servers 4 -1").splitlines()
            if line.startswith("servers,")]


def shares(servers, port, requests):
    before = [s.count for s in servers]
    for _ in range(requests):
        assert get(port) == 200
    return [s.count - b for s, b in zip(servers, before)]


def test_requests_follow_the_weights(folder):
    servers = [Server() for _ in range(3)]
    port = free_port()
    gateway = Gateway(folder)
    gateway.apply("web", 1, port, [("web-%d" % i, s.port, w) for i, (s, w) in
                                   enumerate(zip(servers, (10, 20, 30)))], wait_up=3)
    got = shares(servers, port, 120)
    assert all(abs(g - e) <= 6 for g, e in zip(got, (20, 40, 60))), got
    gateway.apply("web", 2, port, [("web-%d" % i, s.port, w) for i, (s, w) in
                                   enumerate(zip(servers, (200, 100, 100)))], wait_up=3)
    got = shares(servers, port, 120)
    assert all(abs(g - e) <= 6 for g, e in zip(got, (60, 30, 30))), got
    gateway.remove("web", 3)
    gateway.close()


def test_draining_server_finishes_what_it_has(folder):
    servers = [Server() for _ in range(2)]
    port = free_port()
    gateway = Gateway(folder)
    gateway.apply("web", 1, port, [("a", servers[0].port, 10), ("b", servers[1].port, 10)],
                  wait_up=2)
    results = []
    slow = [threading.Thread(target=lambda: results.append(get(port, "/slow?1.5")))
            for _ in range(4)]
    for thread in slow:
        thread.start()
    wait_for("slow requests at both", lambda: min(s.count for s in servers) >= 2)
    gateway.apply("web", 2, port, [("a", servers[0].port, 10, "drain"),
                                   ("b", servers[1].port, 10)], wait_up=1)
    assert shares(servers, port, 10) == [0, 10]
    # Left out altogether while its requests are under way: they still end well.
    gateway.apply("web", 3, port, [("b", servers[1].port, 10)], wait_up=1)
    assert shares(servers, port, 10) == [0, 10]
    for thread in slow:
        thread.join()
    assert results == [200] * 4, results
    wait_for("a is deleted", lambda: len(server_names(folder, "web")) == 1, 30)
    gateway.remove("web", 4)
    gateway.close()


def test_dead_member_leaves_before_its_replacement_is_up(folder):
    servers = [Server(), Server()]
    port, later = free_port(), free_port()
    gateway = Gateway(folder)
    gateway.apply("web", 1, port, [("a", servers[0].port, 10), ("b", servers[1].port, 10)],
                  wait_up=2)
    stream = Stream(port)
    stream.wait_more(50)
    gateway.apply("web", 2, port, [("b", servers[1].port, 10)], wait_up=1)  # a is dead
    servers[0].stop()
    stream.wait_more(50)
    gateway.apply("web", 3, port, [("b", servers[1].port, 10), ("a", later, 10)], wait_up=1)
    stream.wait_more(50)  # the replacement boots and must get nothing yet
    replacement = Server(later)
    gateway.wait_done("web", 3, 2)
    wait_for("the replacement gets requests", lambda: replacement.count > 5)
    errors = stream.stop()
    assert errors == [], errors
    wait_for("the dead one is deleted", lambda: len(server_names(folder, "web")) == 2, 30)
    gateway.remove("web", 4)
    gateway.close()


def test_failed_member_is_taken_out_by_its_health_check(folder):
    servers = [Server(), Server()]
    port = free_port()
    gateway = Gateway(folder)
    gateway.apply("web", 1, port, [("a", servers[0].port, 10), ("b", servers[1].port, 10)],
                  wait_up=2)
    servers[0].stop()
    gateway.wait_done("web", 1, 1)
    servers[1].stop()
    gateway.wait_done("web", 1, 0)
    assert get(port) == 503
    wait_for("errors are counted", lambda: gateway.fresh_metrics("web").get(
        "error-share", (0,))[0] > 0)
    gateway.remove("web", 2)
    gateway.close()


def test_killed_gateway_loses_no_request_and_is_adopted(folder):
    servers = [Server(), Server()]
    port = free_port()
    gateway = Gateway(folder)
    gateway.apply("web", 1, port, [("a", servers[0].port, 10)], wait_up=1)
    gateway.apply("web", 2, port, [("a", servers[0].port, 10), ("b", servers[1].port, 10)],
                  wait_up=2)
    pids = haproxy_pids(folder, "web")
    master = master_pid(folder, "web")
    assert os.getsid(master) != os.getsid(gateway.process.pid)
    with open("/proc/%d/stat" % master) as f:
        assert int(f.read().rsplit(")", 1)[1].split()[1]) != gateway.process.pid
    stream = Stream(port)
    stream.wait_more(100)
    for operation in range(3, 6):
        gateway.kill()
        stream.wait_more(100)  # nobody owns it now
        gateway = Gateway(folder)
        gateway.apply("web", operation, port, [("a", servers[0].port, 10),
                                               ("b", servers[1].port, 10)], wait_up=2)
        stream.wait_more(100)
        # The log reaches the new owner's socket.
        wait_for("the rate is known", lambda: gateway.fresh_metrics("web").get(
            "request-rate", (0,))[0] > 10)
    errors = stream.stop()
    assert errors == [], errors
    assert haproxy_pids(folder, "web") == pids, "not the same processes"
    print("  %d requests, no error" % len(stream.times))
    gateway.remove("web", 9)
    gateway.close()


def test_reload_keeps_servers_and_loses_no_request(folder):
    servers = [Server(), Server()]
    port, other = free_port(), free_port()
    gateway = Gateway(folder)
    gateway.apply("web", 1, port, [("a", servers[0].port, 10)], wait_up=1)
    gateway.apply("web", 2, port, [("a", servers[0].port, 10), ("b", servers[1].port, 30)],
                  wait_up=2)
    stream = Stream(port)
    stream.wait_more(50)
    # Somebody else reloads: the file already has the server that was added at run time.
    os.kill(master_pid(folder, "web"), signal.SIGUSR2)
    stream.wait_more(100)
    wait_for("both servers after the reload",
             lambda: len(server_names(folder, "web")) == 2)
    # The health check changes: a reload by the gateway itself.
    gateway.apply("web", 3, port, [("a", servers[0].port, 10), ("b", servers[1].port, 30)],
                  path="/other", wait_up=2)
    stream.wait_more(50)
    errors = stream.stop()
    assert errors == [], errors
    # A new address.
    gateway.apply("web", 4, other, [("a", servers[0].port, 10), ("b", servers[1].port, 30)],
                  wait_up=2)
    assert get(other) == 200
    wait_for("the old address is closed",
             lambda: socket.socket().connect_ex((ADDRESS, port)) != 0)
    gateway.remove("web", 5)
    gateway.close()


def percentile(values, share):
    values = sorted(values)
    return values[max(0, -(-len(values) * share // 100) - 1)]


def test_response_times_agree_with_the_clients(folder):
    # 30 ms, every tenth 90 ms, every fiftieth 150 ms.
    server = Server(delay=lambda n: 0.150 if n % 50 == 0 else 0.090 if n % 10 == 0 else 0.030)
    port = free_port()
    gateway = Gateway(folder)
    gateway.apply("web", 1, port, [("a", server.port, 10)], window_ms=60000, wait_up=1)
    stream = Stream(port, users=3)
    stream.wait_more(200)
    errors = stream.stop()
    assert errors == [], errors
    wait_for("a second of quiet", lambda: gateway.fresh_metrics("web")["response-p95-ms"][1]
             >= 1000)
    metrics = gateway.fresh_metrics("web")
    rows = [("mean", metrics["response-mean-ms"][0],
             1000 * sum(stream.times) / len(stream.times)),
            ("p50", metrics["response-p50-ms"][0], 1000 * percentile(stream.times, 50)),
            ("p95", metrics["response-p95-ms"][0], 1000 * percentile(stream.times, 95))]
    for name, ours, clients in rows:
        print("  %s: gateway %.1f ms, clients %.1f ms" % (name, ours, clients))
        assert abs(ours - clients) <= 5 + 0.10 * clients, name
    assert metrics["error-share"][0] == 0.0
    gateway.remove("web", 2)
    gateway.close()


def test_no_request_is_a_rate_of_zero_and_no_response_time(folder):
    server = Server()
    port = free_port()
    gateway = Gateway(folder)
    gateway.apply("web", 1, port, [("a", server.port, 10)], wait_up=1)
    get(port)
    wait_for("a response time", lambda: "response-p95-ms" in gateway.fresh_metrics("web"))
    metrics = wait_for("the window has passed", lambda: (
        lambda m: "response-p95-ms" not in m and m)(gateway.fresh_metrics("web")))
    assert metrics == {"request-rate": (0.0, 0)}, metrics
    gateway.remove("web", 2)
    gateway.close()


def test_every_request_of_a_burst_is_counted(folder):
    server = Server()
    port = free_port()
    gateway = Gateway(folder)
    gateway.apply("web", 1, port, [("a", server.port, 10)], window_ms=60000, wait_up=1)
    done = subprocess.run(["httperf", "--server", ADDRESS, "--port", str(port), "--uri", "/x",
                           "--num-conns", "50", "--num-calls", "40", "--burst-length", "20",
                           "--rate", "100", "--timeout", "20"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
    replies = int(re.search(r"replies (\d+)", done.stdout)[1])
    gateway.fresh_metrics("web")
    since = time.monotonic()
    rate = gateway.fresh_metrics("web")["request-rate"][0]
    served = int(admin(folder, "web", "show stat entry 1 -1").splitlines()[1].split(",")[48])
    dropped = int(re.search(r"DroppedLogs: (\d+)", admin(folder, "web", "show info"))[1])
    print("  %d replies, %d served, %d log lines dropped, rate %.1f"
          % (replies, served, dropped, rate))
    assert time.monotonic() - since < 5 and dropped == 0 and served == replies == 2000
    gateway.remove("web", 2)
    gateway.close()


def test_taken_port_is_named_and_taken_over_when_free(folder):
    server = Server()
    port, other = free_port(), free_port()
    taken = socket.socket()
    taken.bind((ADDRESS, port))
    taken.listen(1)
    gateway = Gateway(folder)
    gateway.apply("web", 1, port, [("a", server.port, 10)])
    status = wait_for("a problem", lambda: (
        lambda s: s and s[3] and s)(gateway.status.get("web")))
    assert not status[1] and "Address already in use" in status[3] and str(port) in status[3], \
        status
    print("  " + status[3])
    taken.close()
    gateway.wait_done("web", 1, 1)
    # The same when a running one is to move.
    taken = socket.socket()
    taken.bind((ADDRESS, other))
    taken.listen(1)
    gateway.apply("web", 2, other, [("a", server.port, 10)])
    status = wait_for("a problem", lambda: (lambda s: s[3] and s)(gateway.status["web"]))
    assert "Address already in use" in status[3] and status[0] == 1, status
    print("  " + status[3])
    assert get(port) == 200  # serves on where it was
    taken.close()
    gateway.wait_done("web", 2, 1)
    assert get(other) == 200
    # Two services never share an address in silence.
    gateway.apply("shop", 3, other, [("s", server.port, 10)])
    wait_for("a problem", lambda: "in use" in gateway.status.get("shop", (0, 0, 0, ""))[3])
    gateway.remove("shop", 4)
    gateway.remove("web", 5)
    gateway.close()


def test_wrong_order_is_refused_and_the_old_one_stays(folder):
    server = Server()
    port = free_port()
    gateway = Gateway(folder)
    gateway.apply("web", 1, port, [("a", server.port, 10)], wait_up=1)
    for bad, word in (("apply web 2 nowhere:80 / 200 2000", "nowhere:80"),
                      ("apply web 3 127.0.0.1:%d /x\"y 200 2000" % port, "check_path"),
                      ("apply web 4 127.0.0.1:%d / 200 2000 a,host.name,80,1" % port, "host.name"),
                      ("apply web 5 127.0.0.1:%d / 200 2000 a,127.0.0.1,80,300" % port, "weight"),
                      ("apply web 6 127.0.0.1:%d / 1 2000" % port, "check_every")):
        gateway.order(bad)
        wait_for("a refusal for " + bad, lambda: word in gateway.status["web"][3])
        assert gateway.status["web"][:2] == (1, True), gateway.status["web"]
        assert get(port) == 200
    gateway.apply("web", 7, port, [("a", server.port, 10)], wait_up=1)
    gateway.remove("web", 8)
    gateway.close()


def test_ended_haproxy_is_started_again(folder):
    server = Server()
    port = free_port()
    gateway = Gateway(folder)
    gateway.apply("web", 1, port, [("a", server.port, 10)], wait_up=1)
    old = master_pid(folder, "web")
    os.kill(old, signal.SIGKILL)
    wait_for("another HAProxy", lambda: master_pid(folder, "web") not in (old, 0))
    gateway.wait_done("web", 1, 1)
    wait_for("it serves", lambda: socket.socket().connect_ex((ADDRESS, port)) == 0)
    assert get(port) == 200
    gateway.remove("web", 2)
    gateway.close()


def test_second_gateway_is_refused(folder):
    gateway = Gateway(folder)
    wait_for("the lock", lambda: os.path.exists(os.path.join(folder, ".lock")))
    second = subprocess.run([PROBE, folder], stdin=subprocess.DEVNULL, text=True,
                            stderr=subprocess.PIPE, check=False)
    assert second.returncode == 1 and "another process" in second.stderr, second.stderr
    gateway.close()


def main():
    names = sys.argv[2:]
    failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_") or (names and name not in names):
            continue
        folder = tempfile.mkdtemp(prefix="arbiter-gateway-")
        start = time.monotonic()
        print(name, flush=True)
        try:
            test(folder)
            left = [f for f in os.listdir(folder) if f != ".lock"]
            assert left == [], "left behind: %s" % left
            for service in ("web", "shop"):
                wait_for("no process left", lambda: not haproxy_pids(folder, service))
        except Exception as error:  # the next test can still say something
            print("  FAILED: %s: %s" % (type(error).__name__, error))
            failed += 1
        finally:
            for service in ("web", "shop"):
                for pid in haproxy_pids(folder, service):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(folder, ignore_errors=True)
        print("  %.1f s" % (time.monotonic() - start), flush=True)
    # Threads of failed tests must not hold the program.
    os._exit(1 if failed > 0 else 0)


main()
