// SPDX-License-Identifier: Apache-2.0
#include "node-agent/core/host_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "node-agent/core/host_check_parts.h"

#define STATE_FREE_KIB_MIN (64u << 10)

struct check_line *check_tell(struct host_report *out, const char *name, enum check_state state,
                              const char *format, ...)
{
    static const char full[] = "more lines than fit";
    if (out->count == CHECK_LINES_MAX) {
        struct check_line *last = &out->lines[CHECK_LINES_MAX - 1];
        (void)snprintf(last->text, sizeof last->text, "%s", full);
        return last;
    }
    struct check_line *line = &out->lines[out->count++];
    line->name = name;
    line->state = state;
    line->action[0] = '\0';
    out->problems += state == CHECK_PROBLEM ? 1u : 0u;
    va_list values;
    va_start(values, format);
    (void)vsnprintf(line->text, sizeof line->text, format, values);
    va_end(values);
    return line;
}

void check_advise(struct check_line *line, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    (void)vsnprintf(line->action, sizeof line->action, format, values);
    va_end(values);
}

static bool is_driver(const struct host_facts *facts, const char *name)
{
    return strcmp(facts->driver, name) == 0;
}

static void check_platform(const struct host_facts *facts, struct host_report *out)
{
    struct check_line *line = NULL;
    if (facts->runs_xen && facts->xen.dom0 != FACT_NO) {
        check_xen(facts, out);
    } else if (is_driver(facts, "xen")) {
        line = check_tell(out, "xen", CHECK_PROBLEM, "%s",
                          facts->runs_xen ? "this is a guest of Xen, not its dom0"
                                          : "this kernel does not run on Xen");
        check_advise(line, "%s",
                     facts->runs_xen
                         ? "run the agent in dom0"
                         : "apt install xen-system-amd64, then boot the entry \"with Xen\"");
    } else {
        (void)check_tell(out, "xen", CHECK_OK, "no Xen here; driver %s does not need it",
                         facts->driver[0] != '\0' ? facts->driver : "(none named)");
    }
}

static void check_settings(const struct host_facts *facts, struct host_report *out)
{
    if (facts->node[0] == '\0') {
        check_advise(check_tell(out, "node", CHECK_PROBLEM, "this node has no name"),
                     "set \"node: NAME\" in /etc/arbiter/agent.yaml, as its key is enrolled");
    } else {
        (void)check_tell(out, "node", CHECK_OK, "%s", facts->node);
    }
}

static void format_cores(char out[24], uint32_t cpu_pct)
{
    (void)snprintf(out, 24, "%" PRIu32 ".%02" PRIu32, cpu_pct / 100, cpu_pct % 100);
}

static uint64_t mib(uint64_t kib)
{
    return kib / 1024;
}

/* What the node offers: all of it, minus foreign domains, minus the reserve. */
static void check_capacity(const struct driver_facts *opened, struct host_report *out)
{
    const struct node_status *status = &opened->status;
    const struct node_status *offered = &opened->offered;
    char total[24];
    char left[24];
    char offer[24];
    format_cores(total, status->cpu_pct_total);
    format_cores(left, status->cpu_pct);
    format_cores(offer, offered->cpu_pct);
    bool nothing = offered->cpu_pct == 0 || offered->memory_kib == 0;
    struct check_line *line =
        check_tell(out, "capacity", nothing ? CHECK_PROBLEM : CHECK_OK,
                   "%s CPUs, %" PRIu64 " MiB in all; %s CPUs, %" PRIu64 " MiB without %" PRIu32
                   " foreign VMs; offered: %s CPUs, %" PRIu64 " MiB",
                   total, mib(status->memory_kib_total), left, mib(status->memory_kib),
                   status->foreign_vms, offer, mib(offered->memory_kib));
    if (nothing) {
        check_advise(line,
                     "lower reserve.cpu and reserve.memory in the settings, or stop foreign "
                     "VMs");
    }
}

static void check_driver(const struct host_facts *facts, struct host_report *out)
{
    const struct driver_facts *opened = &facts->opened;
    if (facts->driver[0] == '\0') {
        check_advise(
            check_tell(out, "driver", CHECK_PROBLEM, "no driver is named; there is no default"),
            "set \"driver: xen\", libvirt:URI, none or model:... in the settings");
    } else if (!opened->opened) {
        check_advise(check_tell(out, "driver", CHECK_PROBLEM, "%s",
                                opened->problem[0] != '\0' ? opened->problem : "does not open"),
                     is_driver(facts, "none") || is_driver(facts, "model")
                         ? "install the package arbiter-agent again"
                         : "install the package arbiter-agent-%s, or repair what it says",
                     facts->driver);
    } else if (!opened->status_known) {
        check_advise(check_tell(out, "driver", CHECK_PROBLEM, "%s opens, but %s", facts->driver,
                                opened->problem),
                     "see the log of the hypervisor's own daemon");
    } else {
        (void)check_tell(out, "driver", CHECK_OK, "%s opens", opened->status.driver);
        if (!is_driver(facts, "none")) {
            check_capacity(opened, out);
        }
    }
}

static void check_libvirt(const struct host_facts *facts, struct host_report *out)
{
    if (!is_driver(facts, "libvirt")) {
        return;
    }
    if (facts->libvirt_guests == UNIT_ON) {
        check_advise(check_tell(out, "libvirt-guests", CHECK_NOTE,
                                "starts at boot: it may bring back VMs that run elsewhere now"),
                     "systemctl mask libvirt-guests");
    } else {
        (void)check_tell(out, "libvirt-guests", CHECK_OK, "does not start at boot");
    }
}

static void check_bridge(const struct host_facts *facts, struct host_report *out)
{
    struct check_line *line = NULL;
    if (is_driver(facts, "none") || is_driver(facts, "model")) {
        return;
    }
    if (facts->bridge[0] == '\0') {
        line = check_tell(out, "bridge", CHECK_NOTE, "none is set: guests get no network");
        check_advise(line, "set \"bridge: NAME\" in the settings");
    } else if (facts->bridge_exists == FACT_NO) {
        line = check_tell(out, "bridge", CHECK_PROBLEM, "there is no %s", facts->bridge);
        check_advise(line,
                     "in /etc/network/interfaces: \"auto %s\", \"iface %s inet dhcp\" with "
                     "\"bridge_ports INTERFACE\"; then ifup %s",
                     facts->bridge, facts->bridge, facts->bridge);
    } else if (facts->bridge_is_bridge == FACT_NO) {
        line = check_tell(out, "bridge", CHECK_PROBLEM, "%s is an interface, but no bridge",
                          facts->bridge);
        check_advise(line, "put it into a bridge and set \"bridge\" to that one's name");
    } else if (facts->bridge_up == FACT_NO) {
        line = check_tell(out, "bridge", CHECK_PROBLEM, "%s is down", facts->bridge);
        check_advise(line, "ip link set %s up", facts->bridge);
    } else {
        (void)check_tell(out, "bridge", CHECK_OK, "%s, %" PRIu32 " ports", facts->bridge,
                         facts->bridge_ports);
    }
}

static void check_state(const struct host_facts *facts, struct host_report *out)
{
    struct check_line *line = NULL;
    uint64_t free_mib = mib(facts->state_free_kib);
    if (facts->state_writable != FACT_YES) {
        line = check_tell(out, "state", CHECK_PROBLEM, "%s cannot be %s", facts->state,
                          facts->state_exists == FACT_NO ? "made" : "written");
        check_advise(line, "run this as root, or set \"state\" to a folder of the agent");
    } else if (facts->state_free_kib < STATE_FREE_KIB_MIN) {
        line = check_tell(out, "state", CHECK_PROBLEM,
                          "%s: %" PRIu64 " MiB free, at least %u are needed", facts->state,
                          free_mib, STATE_FREE_KIB_MIN >> 10);
        check_advise(line, "free space there, or set \"state\" to a larger file system");
    } else if (facts->state_free_kib < facts->images_kib) {
        line = check_tell(out, "state", CHECK_NOTE,
                          "%s: %" PRIu64 " MiB free, and images may take %" PRIu64,
                          facts->state, free_mib, mib(facts->images_kib));
        check_advise(line, "set \"images\" to at most what is free, or give it more room");
    } else {
        (void)check_tell(out, "state", CHECK_OK, "%s%s, %" PRIu64 " MiB free", facts->state,
                         facts->state_exists == FACT_NO ? " can be made" : "", free_mib);
    }
}

static void check_clock(const struct host_facts *facts, struct host_report *out)
{
    if (facts->clock_synchronized == FACT_YES) {
        (void)check_tell(out, "clock", CHECK_OK, "synchronised");
        return;
    }
    check_advise(check_tell(out, "clock", CHECK_NOTE,
                            facts->clock_synchronized == FACT_NO
                                ? "not synchronised: logs of several hosts do not fit together"
                                : "cannot be asked"),
                 "apt install chrony");
}

static void check_gateway(const struct host_facts *facts, struct host_report *out)
{
    if (!facts->gateway) {
        return;
    }
    if (facts->haproxy_runs == FACT_YES) {
        (void)check_tell(out, "haproxy", CHECK_OK, "%s", facts->haproxy);
    } else {
        check_advise(check_tell(out, "haproxy", CHECK_PROBLEM,
                                "role gateway, and %s cannot be run", facts->haproxy),
                     "apt install haproxy, or set \"haproxy\" to where it is");
    }
}

static void check_reach(const struct host_facts *facts, const char *name, const char *endpoint,
                        enum reach reach, struct host_report *out)
{
    struct check_line *line = NULL;
    switch (reach) {
    case REACH_UNTRIED: return;
    case REACH_UP: (void)check_tell(out, name, CHECK_OK, "%s admits our key", endpoint); return;
    case REACH_SILENT:
        line = check_tell(out, name, CHECK_PROBLEM, "%s does not answer", endpoint);
        check_advise(line, "is arbiterd running there, is its port open, is \"%s\" right?",
                     name);
        return;
    case REACH_REFUSED:
        line = check_tell(out, name, CHECK_PROBLEM, "%s does not admit our key", endpoint);
        check_advise(line,
                     "on the orchestrator's host, with our public key %s in %s.pub: "
                     "arbiter keys enrol %s %s.pub --role agent",
                     facts->public_key, facts->node, facts->node, facts->node);
        return;
    case REACH_STRANGER:
        line = check_tell(out, name, CHECK_PROBLEM,
                          "%s hung up: it has another key than %s says, or is no Arbiter",
                          endpoint, facts->server_key);
        check_advise(line, "copy the orchestrator's arbiterd.pub to %s", facts->server_key);
        return;
    }
}

static void check_orchestrator(const struct host_facts *facts, struct host_report *out)
{
    if (facts->key_problem[0] != '\0') {
        check_advise(check_tell(out, "key", CHECK_PROBLEM, "%s", facts->key_problem),
                     "make one: arbiter keys make NODE, then enrol NODE.pub on the "
                     "orchestrator's host; server_key is its arbiterd.pub");
        return;
    }
    (void)check_tell(out, "key", CHECK_OK, "public key %s", facts->public_key);
    check_reach(facts, "control", facts->control, facts->control_reach, out);
    check_reach(facts, "telemetry", facts->telemetry, facts->telemetry_reach, out);
}

void host_check(const struct host_facts *facts, struct host_report *out)
{
    memset(out, 0, sizeof *out);
    check_settings(facts, out);
    check_platform(facts, out);
    check_driver(facts, out);
    check_libvirt(facts, out);
    check_bridge(facts, out);
    check_state(facts, out);
    if (facts->agent_runs == FACT_YES) {
        (void)check_tell(out, "agent", CHECK_OK, "runs on this host, with this state folder");
    }
    check_clock(facts, out);
    check_gateway(facts, out);
    check_orchestrator(facts, out);
}

const char *check_state_word(enum check_state state)
{
    switch (state) {
    case CHECK_OK: return "ok";
    case CHECK_NOTE: return "note";
    case CHECK_PROBLEM: return "problem";
    }
    return "unknown";
}
