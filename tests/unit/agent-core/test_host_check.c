// SPDX-License-Identifier: Apache-2.0
/* Hosts of every kind, as facts: what is said about them and what to do. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/core/host_check.h"

static struct host_facts *facts;
static struct host_report *report;

/* A dom0 on which nothing is wrong. */
static void make_xen_host(void)
{
    facts = calloc(1, sizeof *facts);
    report = calloc(1, sizeof *report);
    *facts = (struct host_facts){
        .node = "xen1",
        .driver = "xen",
        .runs_xen = true,
        .xen = {.dom0 = FACT_YES,
                .version = "4.17.7",
                .details = FACT_YES,
                .scheduler = "credit2",
                .command_line = "placeholder dom0_mem=2G,max:2G no-real-mode",
                .free_memory_kib = 12u << 20,
                .xenstored = FACT_YES,
                .xenconsoled = FACT_YES,
                .xenbus = FACT_YES,
                .hypercalls = FACT_YES,
                .watchdog_taken = FACT_NO,
                .dom0_current_kib = 2u << 20,
                .dom0_target_kib = 2u << 20,
                .xendomains = UNIT_MASKED,
                .vif_script = FACT_YES},
        .opened = {.opened = true,
                   .status_known = true,
                   .status = {.driver = "xen 4.17",
                              .capabilities = CAPABILITY_CREATE | CAPABILITY_SELF_FENCE,
                              .cpu_pct = 700,
                              .cpu_pct_total = 800,
                              .memory_kib = 12u << 20,
                              .memory_kib_total = 16u << 20,
                              .foreign_vms = 1},
                   .offered = {.cpu_pct = 600, .memory_kib = 11u << 20}},
        .libvirt_guests = UNIT_ABSENT,
        .bridge = "xenbr0",
        .bridge_exists = FACT_YES,
        .bridge_is_bridge = FACT_YES,
        .bridge_up = FACT_YES,
        .bridge_ports = 1,
        .clock_synchronized = FACT_YES,
        .state = "/var/lib/arbiter-agent",
        .state_exists = FACT_YES,
        .state_writable = FACT_YES,
        .state_free_kib = 40u << 20,
        .images_kib = 20u << 20,
        .agent_runs = FACT_NO,
        .haproxy = "/usr/sbin/haproxy",
        .control = "tcp://10.0.0.1:7701",
        .telemetry = "tcp://10.0.0.1:7702",
        .public_key = "PUBLIC",
        .server_key = "/etc/arbiter/arbiterd.pub",
        .control_reach = REACH_UP,
        .telemetry_reach = REACH_UP,
    };
}
static void forget(void)
{
    free(facts);
    free(report);
}
TestSuite(host_check, .init = make_xen_host, .fini = forget, .timeout = 20);

static const struct check_line *line(const char *name)
{
    for (uint32_t i = 0; i < report->count; i++) {
        if (strcmp(report->lines[i].name, name) == 0) {
            return &report->lines[i];
        }
    }
    return NULL;
}

/* The line of that name is in this state, its text and action hold these parts. */
static void expect(const char *name, enum check_state state, const char *text,
                   const char *action)
{
    host_check(facts, report);
    const struct check_line *found = line(name);
    cr_assert_not_null(found, "no line %s", name);
    cr_assert_eq(found->state, state, "%s is %s: %s", name, check_state_word(found->state),
                 found->text);
    cr_assert_not_null(strstr(found->text, text), "%s: %s", name, found->text);
    cr_assert_not_null(strstr(found->action, action), "%s: %s", name, found->action);
    cr_assert_eq(state == CHECK_OK, found->action[0] == '\0', "%s: %s", name, found->action);
}

Test(host_check, a_good_dom0_has_no_problem_and_nothing_to_do)
{
    host_check(facts, report);
    for (uint32_t i = 0; i < report->count; i++) {
        cr_assert_eq(report->lines[i].state, CHECK_OK, "%s: %s", report->lines[i].name,
                     report->lines[i].text);
        cr_assert_str_eq(report->lines[i].action, "");
    }
    cr_assert_eq(report->problems, 0);
    cr_assert_geq(report->count, 14);
}

Test(host_check, capacity_is_told_as_a_sum)
{
    expect("capacity", CHECK_OK, "8.00 CPUs, 16384 MiB in all", "");
    expect("capacity", CHECK_OK, "7.00 CPUs, 12288 MiB without 1 foreign VMs", "");
    expect("capacity", CHECK_OK, "offered: 6.00 CPUs, 11264 MiB", "");
    facts->opened.offered.memory_kib = 0;
    expect("capacity", CHECK_PROBLEM, "offered: 6.00 CPUs, 0 MiB", "reserve");
}

Test(host_check, xen_that_is_too_old_or_unknown)
{
    (void)strcpy(facts->xen.version, "4.11.4");
    expect("xen", CHECK_PROBLEM, "4.11.4", "upgrade");
    (void)strcpy(facts->xen.version, "5.0");
    expect("xen", CHECK_OK, "5.0", "");
    facts->xen.version[0] = '\0';
    expect("xen", CHECK_NOTE, "unknown", "sysfs");
}

Test(host_check, a_scheduler_without_caps)
{
    (void)strcpy(facts->xen.scheduler, "null");
    expect("scheduler", CHECK_PROBLEM, "null has no caps", "sched=null");
    (void)strcpy(facts->xen.scheduler, "credit");
    expect("scheduler", CHECK_OK, "credit", "");
}

Test(host_check, xl_that_says_nothing_leaves_things_unknown_not_fine)
{
    facts->xen.details = FACT_UNKNOWN;
    (void)strcpy(facts->xen.details_problem, "xl: No such file or directory");
    expect("scheduler", CHECK_NOTE, "unknown: xl", "xen-utils");
    host_check(facts, report);
    cr_assert_eq(line("dom0 memory")->state, CHECK_NOTE);
    cr_assert_null(line("free memory"));
}

Test(host_check, toolstack_daemons)
{
    facts->xen.xenstored = FACT_NO;
    expect("xenstored", CHECK_OK, "a domain of its own", "");
    facts->xen.xenbus = FACT_NO;
    expect("xenstored", CHECK_PROBLEM, "does not run", "systemctl start xen");
    facts->xen.xenstored = FACT_YES;
    expect("xenstored", CHECK_PROBLEM, "cannot be opened", "as root");
    facts->xen.xenconsoled = FACT_NO;
    expect("xenconsoled", CHECK_PROBLEM, "does not run", "systemctl start xen");
}

Test(host_check, memory_of_dom0)
{
    (void)strcpy(facts->xen.command_line, "placeholder");
    expect("dom0 memory", CHECK_PROBLEM, "not fixed", "dom0_mem=2G,max:2G");
    (void)strcpy(facts->xen.command_line, "xdom0_mem=2G,max:2G");
    expect("dom0 memory", CHECK_PROBLEM, "not fixed", "dom0_mem");
    (void)strcpy(facts->xen.command_line, "dom0_mem=2G");
    expect("dom0 memory", CHECK_NOTE, "no max", "max:");
    (void)strcpy(facts->xen.command_line, "  dom0_mem=700M,max:700M");
    expect("dom0 memory", CHECK_OK, "700M,max:700M", "");
    facts->xen.dom0_target_kib = 1u << 20;
    expect("dom0 balloon", CHECK_NOTE, "2048 MiB, its target is 1024 MiB", "autoballoon");
    facts->xen.free_memory_kib = 1024;
    expect("free memory", CHECK_NOTE, "1 MiB", "xl list");
}

Test(host_check, the_watchdog_for_self_fence)
{
    facts->xen.hypercalls = FACT_NO;
    expect("watchdog", CHECK_PROBLEM, "/dev/xen/privcmd", "xen-privcmd");
    facts->xen.hypercalls = FACT_YES;
    facts->xen.watchdog_taken = FACT_YES;
    expect("watchdog", CHECK_NOTE, "xenwatchdogd", "SIGUSR1");
    facts->xen.watchdog_taken = FACT_NO;
    facts->opened.status.capabilities = CAPABILITY_CREATE;
    expect("watchdog", CHECK_NOTE, "self_fence", "xendomains");
}

Test(host_check, xendomains_must_not_restore_copies)
{
    facts->xen.xendomains = UNIT_ON;
    expect("xendomains", CHECK_PROBLEM, "restore", "systemctl mask xendomains");
    cr_assert_not_null(strstr(line("xendomains")->action, "without --now"));
    facts->xen.xendomains = UNIT_OFF;
    expect("xendomains", CHECK_NOTE, "installed", "mask");
    facts->xen.xendomains = UNIT_UNKNOWN;
    expect("xendomains", CHECK_NOTE, "unknown", "mask");
    facts->xen.xendomains = UNIT_ABSENT;
    expect("xendomains", CHECK_OK, "not installed", "");
}

Test(host_check, driver_xen_without_xen)
{
    facts->runs_xen = false;
    expect("xen", CHECK_PROBLEM, "does not run on Xen", "xen-system-amd64");
    facts->runs_xen = true;
    facts->xen.dom0 = FACT_NO;
    expect("xen", CHECK_PROBLEM, "a guest of Xen", "dom0");
    cr_assert_null(line("xendomains"));
}

Test(host_check, other_drivers_do_not_need_xen)
{
    facts->runs_xen = false;
    (void)strcpy(facts->driver, "libvirt");
    facts->libvirt_guests = UNIT_OFF;
    expect("xen", CHECK_OK, "libvirt does not need it", "");
    cr_assert_eq(report->problems, 0);
    cr_assert_null(line("watchdog"));
    facts->libvirt_guests = UNIT_ON;
    expect("libvirt-guests", CHECK_NOTE, "bring back", "mask libvirt-guests");
    (void)strcpy(facts->driver, "none");
    facts->bridge[0] = '\0';
    host_check(facts, report);
    cr_assert_null(line("bridge"));
    cr_assert_null(line("capacity"));
    cr_assert_eq(report->problems, 0);
}

Test(host_check, xen_below_libvirt_is_judged_mildly)
{
    (void)strcpy(facts->driver, "libvirt");
    facts->xen.vif_script = FACT_NO;
    (void)strcpy(facts->xen.scheduler, "null");
    expect("scheduler", CHECK_NOTE, "null", "sched");
    cr_assert_eq(report->problems, 0);
}

Test(host_check, driver_that_is_missing_or_does_not_open)
{
    facts->opened = (struct driver_facts){.problem = "there is no driver_xen.so"};
    expect("driver", CHECK_PROBLEM, "driver_xen.so", "arbiter-agent-xen");
    cr_assert_null(line("capacity"));
    facts->opened.opened = true;
    (void)strcpy(facts->opened.problem, "xenstored is gone");
    expect("driver", CHECK_PROBLEM, "xenstored is gone", "log");
    facts->driver[0] = '\0';
    expect("driver", CHECK_PROBLEM, "no default", "driver: xen");
}

Test(host_check, bridges)
{
    facts->bridge_up = FACT_NO;
    expect("bridge", CHECK_PROBLEM, "down", "ip link set xenbr0 up");
    facts->bridge_is_bridge = FACT_NO;
    expect("bridge", CHECK_PROBLEM, "no bridge", "bridge");
    facts->bridge_exists = FACT_NO;
    expect("bridge", CHECK_PROBLEM, "there is no xenbr0", "iface xenbr0");
    facts->bridge[0] = '\0';
    expect("bridge", CHECK_NOTE, "no network", "bridge: NAME");
}

Test(host_check, the_state_folder)
{
    facts->state_free_kib = 10u << 20;
    expect("state", CHECK_NOTE, "10240 MiB free, and images may take 20480", "images");
    facts->state_free_kib = 1024;
    expect("state", CHECK_PROBLEM, "at least 64", "free space");
    facts->state_writable = FACT_NO;
    expect("state", CHECK_PROBLEM, "cannot be written", "root");
    facts->state_exists = FACT_NO;
    expect("state", CHECK_PROBLEM, "cannot be made", "root");
    facts->state_writable = FACT_YES;
    facts->state_free_kib = 40u << 20;
    expect("state", CHECK_OK, "can be made", "");
    facts->agent_runs = FACT_YES;
    expect("agent", CHECK_OK, "runs on this host", "");
}

Test(host_check, clock_and_haproxy)
{
    facts->clock_synchronized = FACT_NO;
    expect("clock", CHECK_NOTE, "not synchronised", "chrony");
    facts->gateway = true;
    facts->haproxy_runs = FACT_NO;
    expect("haproxy", CHECK_PROBLEM, "/usr/sbin/haproxy", "apt install haproxy");
    facts->haproxy_runs = FACT_YES;
    expect("haproxy", CHECK_OK, "/usr/sbin/haproxy", "");
}

Test(host_check, the_way_to_the_orchestrator)
{
    facts->control_reach = REACH_SILENT;
    expect("control", CHECK_PROBLEM, "does not answer", "port");
    facts->control_reach = REACH_STRANGER;
    expect("control", CHECK_PROBLEM, "hung up", "/etc/arbiter/arbiterd.pub");
    facts->telemetry_reach = REACH_REFUSED;
    expect("telemetry", CHECK_PROBLEM, "does not admit", "arbiter keys enrol xen1 xen1.pub");
    cr_assert_not_null(strstr(line("telemetry")->action, "PUBLIC"));
    (void)strcpy(facts->key_problem, "agent.key: others may read it");
    expect("key", CHECK_PROBLEM, "others may read it", "arbiter keys make");
    cr_assert_null(line("control"));
    cr_assert_eq(report->problems, 1);
}

Test(host_check, a_node_needs_a_name)
{
    facts->node[0] = '\0';
    expect("node", CHECK_PROBLEM, "no name", "node: NAME");
}

/* Everything unknown or wrong at once still fits. */
Test(host_check, a_host_of_which_nothing_is_known)
{
    memset(facts, 0, sizeof *facts);
    facts->runs_xen = true;
    facts->gateway = true;
    (void)strcpy(facts->driver, "xen");
    host_check(facts, report);
    cr_assert_lt(report->count, CHECK_LINES_MAX);
    cr_assert_gt(report->problems, 3);
    for (uint32_t i = 0; i < report->count; i++) {
        cr_assert(report->lines[i].text[0] != '\0');
    }
}
