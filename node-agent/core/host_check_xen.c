// SPDX-License-Identifier: Apache-2.0
/* What host_check() says about a Xen dom0. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/core/host_check_parts.h"

#define FREE_KIB_MIN (64u << 10) /* less holds no guest */

/* The driver "xen" needs it; others of the host may do without. */
static enum check_state severity(const struct host_facts *facts)
{
    return strcmp(facts->driver, "xen") == 0 ? CHECK_PROBLEM : CHECK_NOTE;
}

static void check_version(const struct host_facts *facts, struct host_report *out)
{
    const struct xen_facts *xen = &facts->xen;
    unsigned long major = strtoul(xen->version, NULL, 10);
    const char *dot = strchr(xen->version, '.');
    unsigned long minor = dot != NULL ? strtoul(dot + 1, NULL, 10) : 0;
    if (xen->dom0 == FACT_UNKNOWN) {
        check_advise(check_tell(out, "xen", CHECK_NOTE,
                                "Xen %s; whether this is dom0 is unknown: /proc/xen is empty",
                                xen->version),
                     "mount -t xenfs none /proc/xen");
    } else if (xen->version[0] == '\0') {
        check_advise(check_tell(out, "xen", CHECK_NOTE, "dom0 of Xen; its version is unknown"),
                     "mount -t sysfs sysfs /sys");
    } else if (major < 4 || (major == 4 && minor < 14)) {
        check_advise(check_tell(out, "xen", severity(facts),
                                "dom0 of Xen %s; 4.14 is the oldest that is tested",
                                xen->version),
                     "upgrade Xen");
    } else {
        (void)check_tell(out, "xen", CHECK_OK, "dom0 of Xen %s", xen->version);
    }
}

static void check_scheduler(const struct host_facts *facts, struct host_report *out)
{
    const struct xen_facts *xen = &facts->xen;
    if (xen->details != FACT_YES) {
        check_advise(
            check_tell(out, "scheduler", CHECK_NOTE, "unknown: %s", xen->details_problem),
            "apt install xen-utils-common, and run this as root");
    } else if (strcmp(xen->scheduler, "credit2") == 0 ||
               strcmp(xen->scheduler, "credit") == 0) {
        (void)check_tell(out, "scheduler", CHECK_OK, "%s", xen->scheduler);
    } else {
        check_advise(check_tell(out, "scheduler", severity(facts),
                                "%s has no caps: levels cannot be held", xen->scheduler),
                     "remove \"sched=%s\" from GRUB_CMDLINE_XEN_DEFAULT in "
                     "/etc/default/grub.d/xen.cfg, update-grub, reboot",
                     xen->scheduler);
    }
}

static void check_toolstack(const struct host_facts *facts, struct host_report *out)
{
    const struct xen_facts *xen = &facts->xen;
    struct check_line *line = NULL;
    if (xen->xenstored == FACT_NO && xen->xenbus == FACT_NO) {
        line = check_tell(out, "xenstored", severity(facts), "does not run");
        check_advise(line, "systemctl start xen");
    } else if (xen->xenbus == FACT_NO) {
        line = check_tell(out, "xenstored", severity(facts),
                          "runs, but /dev/xen/xenbus cannot be opened");
        check_advise(line, "run this as root; modprobe xen-privcmd");
    } else {
        (void)check_tell(out, "xenstored", CHECK_OK, "%s",
                         xen->xenstored == FACT_NO ? "answers from a domain of its own"
                                                   : "runs");
    }
    if (xen->xenconsoled == FACT_NO) {
        line = check_tell(out, "xenconsoled", severity(facts),
                          "does not run: guests get no console, and PV guests may hang");
        check_advise(line, "systemctl start xen");
    } else if (xen->xenconsoled == FACT_UNKNOWN) {
        line = check_tell(out, "xenconsoled", CHECK_NOTE, "unknown whether it runs");
        check_advise(line, "mount -t proc proc /proc");
    } else {
        (void)check_tell(out, "xenconsoled", CHECK_OK, "runs");
    }
}

/* The value of a word "NAME=..." of Xen's command line; false when it is not there. */
static bool find_option(const char *line, const char *name, char *out, size_t size)
{
    size_t length = strlen(name);
    for (const char *at = line; at != NULL && *at != '\0';) {
        at += strspn(at, " ");
        size_t word = strcspn(at, " ");
        if (word > length && strncmp(at, name, length) == 0 && at[length] == '=') {
            (void)snprintf(out, size, "%.*s", (int)(word - length - 1), at + length + 1);
            return true;
        }
        at += word;
    }
    return false;
}

static void check_dom0_memory(const struct host_facts *facts, struct host_report *out)
{
    static const char advice[] =
        "add \"dom0_mem=2G,max:2G\" (as much as dom0 needs) to GRUB_CMDLINE_XEN_DEFAULT in "
        "/etc/default/grub.d/xen.cfg, update-grub, reboot";
    const struct xen_facts *xen = &facts->xen;
    char given[TEXT_SIZE];
    bool moves = xen->dom0_current_kib != 0 && xen->dom0_target_kib != 0 &&
                 xen->dom0_current_kib / 1024 != xen->dom0_target_kib / 1024;
    if (xen->details != FACT_YES) {
        check_advise(
            check_tell(out, "dom0 memory", CHECK_NOTE, "unknown: %s", xen->details_problem),
            "look at dom0_mem in \"xl info\", as root");
    } else if (!find_option(xen->command_line, "dom0_mem", given, sizeof given)) {
        check_advise(check_tell(out, "dom0 memory", severity(facts),
                                "not fixed: Xen gave dom0 all memory, and guests would have to "
                                "wait for its balloon"),
                     advice);
    } else if (strstr(given, "max:") == NULL) {
        check_advise(check_tell(out, "dom0 memory", CHECK_NOTE,
                                "dom0_mem=%s has no max: dom0 can grow back over it", given),
                     "add \",max:\" with the same size to dom0_mem, update-grub, reboot");
    } else {
        (void)check_tell(out, "dom0 memory", CHECK_OK, "fixed: dom0_mem=%s", given);
    }
    if (moves) {
        check_advise(check_tell(out, "dom0 balloon", CHECK_NOTE,
                                "moves: dom0 has %" PRIu64 " MiB, its target is %" PRIu64
                                " MiB",
                                xen->dom0_current_kib / 1024, xen->dom0_target_kib / 1024),
                     "wait until it has ended; \"autoballoon=off\" in /etc/xen/xl.conf");
    }
}

static void check_free_memory(const struct host_facts *facts, struct host_report *out)
{
    const struct xen_facts *xen = &facts->xen;
    if (xen->details != FACT_YES) {
        return; /* told above */
    }
    if (xen->free_memory_kib < FREE_KIB_MIN) {
        check_advise(check_tell(out, "free memory", CHECK_NOTE,
                                "%" PRIu64 " MiB of Xen's are free: there is no room for more "
                                "guests",
                                xen->free_memory_kib / 1024),
                     "xl list shows who has it");
    } else {
        (void)check_tell(out, "free memory", CHECK_OK, "%" PRIu64 " MiB of Xen's",
                         xen->free_memory_kib / 1024);
    }
}

static void check_watchdog(const struct host_facts *facts, struct host_report *out)
{
    const struct xen_facts *xen = &facts->xen;
    bool declared = facts->opened.status_known &&
                    (facts->opened.status.capabilities & CAPABILITY_SELF_FENCE) != 0;
    if (xen->hypercalls != FACT_YES) {
        check_advise(check_tell(out, "watchdog", severity(facts),
                                "hypercalls cannot be made: neither /dev/xen/hypercall nor "
                                "/dev/xen/privcmd can be opened"),
                     "run this as root; modprobe xen-privcmd");
    } else if (xen->watchdog_taken == FACT_YES) {
        check_advise(check_tell(out, "watchdog", CHECK_NOTE,
                                "usable, but xenwatchdogd runs too and reboots this host for "
                                "reasons of its own"),
                     "end it with SIGUSR1, which disarms it; other signals arm it for 300 s");
    } else if (strcmp(facts->driver, "xen") == 0 && facts->opened.status_known && !declared) {
        check_advise(check_tell(out, "watchdog", CHECK_NOTE,
                                "the driver does not declare self_fence: services with "
                                "\"isolation: fence\" will not be placed here"),
                     "see xendomains and the driver's lines");
    } else {
        (void)check_tell(out, "watchdog", CHECK_OK, "Xen's can be armed");
    }
}

static void check_xendomains(const struct host_facts *facts, struct host_report *out)
{
    enum unit_state state = facts->xen.xendomains;
    if (state == UNIT_ABSENT || state == UNIT_MASKED) {
        (void)check_tell(out, "xendomains", CHECK_OK, "%s",
                         state == UNIT_MASKED ? "masked" : "not installed");
        return;
    }
    /* Without --now: stopping it would save or shut down every domain. */
    check_advise(check_tell(out, "xendomains", state == UNIT_ON ? severity(facts) : CHECK_NOTE,
                            "%s",
                            state == UNIT_ON
                                ? "starts at boot: it would restore saved copies of VMs that "
                                  "run elsewhere by then"
                            : state == UNIT_OFF ? "is installed; somebody could start it"
                                                : "unknown whether it starts at boot"),
                 "systemctl mask xendomains   (without --now: that would stop every domain)");
}

void check_xen(const struct host_facts *facts, struct host_report *out)
{
    check_version(facts, out);
    check_scheduler(facts, out);
    check_toolstack(facts, out);
    check_dom0_memory(facts, out);
    check_free_memory(facts, out);
    check_watchdog(facts, out);
    check_xendomains(facts, out);
    if (facts->xen.vif_script == FACT_NO) {
        check_advise(check_tell(out, "vif script", severity(facts),
                                "there is no /etc/xen/scripts/vif-bridge: guests get no "
                                "network"),
                     "apt install xen-utils-common");
    }
}
