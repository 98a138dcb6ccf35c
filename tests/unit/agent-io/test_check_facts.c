// SPDX-License-Identifier: Apache-2.0
/* Facts of a host, read from a folder that looks like one. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node-agent/io/check.h"

static char root[] = "/tmp/arbiter-check-facts-XXXXXX";
static struct host_facts *facts;
static struct agent_settings settings;

/* A file and the folders above it; text NULL: a folder. */
static void put(const char *path, const char *text)
{
    char full[512];
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    for (char *at = full + strlen(root) + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            (void)mkdir(full, 0755);
            *at = '/';
        }
    }
    if (text == NULL) {
        cr_assert_eq(mkdir(full, 0755), 0, "%s", full);
        return;
    }
    FILE *file = fopen(full, "w");
    cr_assert_not_null(file, "%s", full);
    (void)fputs(text, file);
    (void)fclose(file);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static void begin(void)
{
    facts = calloc(1, sizeof *facts);
    cr_assert_not_null(mkdtemp(root));
    settings = (struct agent_settings){.driver = "xen:reserve_cpu=50",
                                       .node = "xen1",
                                       .bridge = "xenbr0",
                                       .haproxy = "/bin/true",
                                       .images_kib = 7};
    (void)snprintf(settings.state, sizeof settings.state, "%s/state", root);
}
static void end(void)
{
    (void)nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(facts);
}
TestSuite(check_facts, .init = begin, .fini = end, .timeout = 20);

static void put_xen_host(void)
{
    put("/sys/hypervisor/type", "xen\n");
    put("/sys/hypervisor/version/major", "4\n");
    put("/sys/hypervisor/version/minor", "17\n");
    put("/sys/hypervisor/version/extra", ".7\n");
    put("/proc/xen/capabilities", "control_d\n");
    put("/proc/1/comm", "systemd\n");
    put("/proc/77/comm", "xenstored\n");
    put("/proc/78/comm", "xenconsoled\n");
    put("/dev/xen/xenbus", "");
    put("/dev/xen/privcmd", "");
    put("/sys/devices/system/xen_memory/xen_memory0/target_kb", "716800\n");
    put("/sys/devices/system/xen_memory/xen_memory0/info/current_kb", "716804\n");
    put("/etc/init.d/xendomains", "#!/bin/sh\n");
    put("/etc/xen/scripts/vif-bridge", "#!/bin/sh\n");
}

Test(check_facts, a_dom0_is_read_from_its_files)
{
    put_xen_host();
    check_facts_host(facts, &settings, root);
    cr_assert(facts->runs_xen);
    cr_assert_str_eq(facts->driver, "xen");
    check_facts_xen(&facts->xen, root);
    cr_assert_eq(facts->xen.dom0, FACT_YES);
    cr_assert_str_eq(facts->xen.version, "4.17.7");
    cr_assert_eq(facts->xen.xenstored, FACT_YES);
    cr_assert_eq(facts->xen.xenconsoled, FACT_YES);
    cr_assert_eq(facts->xen.watchdog_taken, FACT_NO);
    cr_assert_eq(facts->xen.xenbus, FACT_YES);
    cr_assert_eq(facts->xen.hypercalls, FACT_YES);
    cr_assert_eq(facts->xen.dom0_target_kib, 716800);
    cr_assert_eq(facts->xen.dom0_current_kib, 716804);
    cr_assert_eq(facts->xen.xendomains, UNIT_OFF);
    cr_assert_eq(facts->xen.vif_script, FACT_YES);
}

Test(check_facts, a_guest_of_xen_is_no_dom0)
{
    put("/sys/hypervisor/type", "xen\n");
    put("/proc/xen/capabilities", "\n");
    check_facts_host(facts, &settings, root);
    check_facts_xen(&facts->xen, root);
    cr_assert(facts->runs_xen);
    cr_assert_eq(facts->xen.dom0, FACT_NO);
    cr_assert_eq(facts->xen.hypercalls, FACT_NO);
    cr_assert_str_eq(facts->xen.version, "");
}

Test(check_facts, kvm_is_not_xen)
{
    check_facts_host(facts, &settings, root);
    cr_assert_not(facts->runs_xen);
}

Test(check_facts, services_of_systemd_and_of_init)
{
    char link[512];
    put("/lib/systemd/system/one.service", "");
    cr_assert_eq(check_unit_state(root, "one"), UNIT_OFF);
    put("/etc/systemd/system/multi-user.target.wants/one.service", "");
    cr_assert_eq(check_unit_state(root, "one"), UNIT_ON);
    put("/etc/init.d/two", "");
    cr_assert_eq(check_unit_state(root, "two"), UNIT_OFF);
    put("/etc/rc3.d/S05two", "");
    put("/etc/rc3.d/K01three", "");
    cr_assert_eq(check_unit_state(root, "two"), UNIT_ON);
    cr_assert_eq(check_unit_state(root, "three"), UNIT_ABSENT);
    (void)snprintf(link, sizeof link, "%s/etc/systemd/system/two.service", root);
    cr_assert_eq(symlink("/dev/null", link), 0);
    cr_assert_eq(check_unit_state(root, "two"), UNIT_MASKED);
}

Test(check_facts, bridges_and_what_is_none)
{
    put("/sys/class/net/xenbr0/flags", "0x1003\n");
    check_facts_host(facts, &settings, root);
    cr_assert_eq(facts->bridge_exists, FACT_YES);
    cr_assert_eq(facts->bridge_is_bridge, FACT_NO);
    cr_assert_eq(facts->bridge_up, FACT_YES);
    put("/sys/class/net/xenbr0/bridge/bridge_id", "8000\n");
    put("/sys/class/net/xenbr0/brif/eth0", "");
    put("/sys/class/net/xenbr0/brif/vif1.0", "");
    put("/sys/class/net/xenbr0/flags", "0x1002\n");
    memset(facts, 0, sizeof *facts);
    check_facts_host(facts, &settings, root);
    cr_assert_eq(facts->bridge_is_bridge, FACT_YES);
    cr_assert_eq(facts->bridge_up, FACT_NO);
    cr_assert_eq(facts->bridge_ports, 2);
}

Test(check_facts, a_state_folder_that_the_agent_will_make)
{
    check_facts_host(facts, &settings, root);
    cr_assert_eq(facts->state_exists, FACT_NO);
    cr_assert_eq(facts->state_writable, FACT_YES);
    cr_assert_gt(facts->state_free_kib, 0);
    cr_assert_eq(facts->agent_runs, FACT_NO);
    (void)snprintf(settings.state, sizeof settings.state, "%s/no/such/state", root);
    check_facts_host(facts, &settings, root);
    cr_assert_eq(facts->state_writable, FACT_NO, "it makes one folder, not three");
}

static size_t left_over(void)
{
    glob_t found;
    size_t count = glob("/tmp/arbiter-check-*/*", 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return count;
}

Test(check_facts, a_driver_that_is_looked_at_leaves_nothing_behind)
{
    char library[PATH_SIZE + 32];
    (void)snprintf(settings.driver_folder, sizeof settings.driver_folder, "%s/lib/arbiter",
                   getenv("ARBITER_BUILD"));
    (void)snprintf(library, sizeof library, "%s/driver_libvirt.so", settings.driver_folder);
    if (access(library, F_OK) != 0) {
        cr_skip("no libvirt driver in this build");
    }
    (void)snprintf(settings.driver, sizeof settings.driver, "libvirt:test:///default");
    check_facts_host(facts, &settings, root);
    size_t before = left_over();
    check_facts_driver(facts, &settings);
    cr_assert(facts->opened.opened, "%s", facts->opened.problem);
    cr_assert(facts->opened.status_known);
    cr_assert_leq(left_over(), before);
}

/* What "xl info" of Xen 4.17 prints, by a program of that name. */
Test(check_facts, xl_tells_scheduler_command_line_and_free_memory)
{
    char path[512];
    put("/bin/xl", "#!/bin/sh\n[ \"$1\" = info ] || exit 3\ncat <<END\n"
                   "host                   : xen1\n"
                   "nr_cpus                : 2\n"
                   "total_memory           : 1535\n"
                   "free_memory            : 793\n"
                   "free_cpus              : 0\n"
                   "xen_version            : 4.17.7\n"
                   "xen_scheduler          : credit2\n"
                   "xen_commandline        : console=com1 com1=115200,8n1 "
                   "dom0_mem=700M,max:700M\nEND\n");
    (void)snprintf(path, sizeof path, "%s/bin/xl", root);
    (void)chmod(path, 0755);
    (void)snprintf(path, sizeof path, "%s/bin:/bin:/usr/bin", root);
    (void)setenv("PATH", path, 1);
    check_facts_xl(&facts->xen);
    cr_assert_eq(facts->xen.details, FACT_YES, "%s", facts->xen.details_problem);
    cr_assert_str_eq(facts->xen.scheduler, "credit2");
    cr_assert_str_eq(facts->xen.command_line,
                     "console=com1 com1=115200,8n1 dom0_mem=700M,max:700M");
    cr_assert_eq(facts->xen.free_memory_kib, 793 * 1024);
}

Test(check_facts, xl_that_fails_or_is_not_there_leaves_it_unknown)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/bin", root);
    (void)setenv("PATH", path, 1);
    check_facts_xl(&facts->xen);
    cr_assert_eq(facts->xen.details, FACT_UNKNOWN);
    cr_assert_not_null(strstr(facts->xen.details_problem, "No such file"));
    put("/bin/xl", "#!/bin/sh\necho half\nexit 1\n");
    (void)strcat(path, "/xl");
    (void)chmod(path, 0755);
    check_facts_xl(&facts->xen);
    cr_assert_eq(facts->xen.details, FACT_UNKNOWN);
    cr_assert_not_null(strstr(facts->xen.details_problem, "failed"), "%s",
                       facts->xen.details_problem);
}

Test(check_facts, json_escapes_what_a_hypervisor_says)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct host_report report = {.count = 1,
                                 .problems = 1,
                                 .lines = {{.name = "driver",
                                            .state = CHECK_PROBLEM,
                                            .text = "said \"no\"\n\ttwice\\",
                                            .action = "ask again"}}};
    check_print_json(out, "n1", &report);
    (void)fclose(out);
    cr_assert_not_null(strstr(text, "said \\\"no\\\"\\u000a\\u0009twice\\\\"), "%s", text);
    cr_assert_not_null(strstr(text, "\"fit\": false"), "%s", text);
    free(text);
}
