// SPDX-License-Identifier: Apache-2.0
/* What the list says of a domain, and how often it asks for that. Xen and libxl are played. */
#include <criterion/criterion.h>

#if !__has_include(<libxl.h>)
Test(xen_readings, needs_libxl)
{
    cr_skip("the headers of libxl are not installed");
}
#else
#include <errno.h>

#include "node-agent/io/xen/domain_infos.c"
#include "node-agent/io/xen/domain_mark.c"
#include "node-agent/io/xen/known_domains.c"
#include "node-agent/io/xen/readings.c"

#define DOMID 7
#define UUID  "11111111-2222-3333-4444-555555555555"

static struct xen_host host = {.node = "xen1"};
static struct xen_session session;
static bool made;
static uint32_t marks_read;
static uint32_t rates_read;
static uint64_t rate_kib_s;
static uint64_t memory_max_kib;

static uint32_t domains = 1;

/* Numbers 7, 9, 11 and so on, in parts as they are asked for. */
int xc_domain_getinfolist(xc_interface *xch, uint32_t first_domain, unsigned int max_domains,
                          xc_domaininfo_t *info)
{
    (void)xch;
    int count = 0;
    for (uint32_t i = 0; i < domains && count < (int)max_domains; i++) {
        if (DOMID + 2 * i >= first_domain) {
            info[count++] = (xc_domaininfo_t){.domain = (domid_t)(DOMID + 2 * i),
                                              .flags = XEN_DOMINF_paused,
                                              .max_pages = memory_max_kib / 4};
        }
    }
    return count;
}

void libxl_dominfo_init(libxl_dominfo *info)
{
    memset(info, 0, sizeof *info);
}

int domain_mark_read(const struct xen_host *from, struct xen_session *by, uint32_t domid,
                     struct domain_mark *out)
{
    (void)from;
    (void)by;
    cr_assert_eq(domid, DOMID);
    marks_read++;
    *out = (struct domain_mark){.made = made, .vm = "vm", .node = "xen1", .generation = 3};
    return 0;
}

void domain_uuid_text(const libxl_uuid *uuid, char out[UUID_SIZE])
{
    (void)uuid;
    (void)snprintf(out, UUID_SIZE, "%s", UUID);
}

enum run_state domain_state(const libxl_dominfo *info)
{
    return info->paused ? RUN_STATE_PAUSED : RUN_STATE_RUNNING;
}

int amounts_schedule_read(const struct xen_host *from, struct xen_session *by, uint32_t domid,
                          struct amounts_schedule *out, struct err *err)
{
    (void)from;
    (void)by;
    (void)domid;
    (void)err;
    *out = (struct amounts_schedule){.cap_pct = 40, .weight = 256};
    return 0;
}

int amounts_memory_target(struct xen_session *by, uint32_t domid, uint64_t *target_kib)
{
    (void)by;
    (void)domid;
    *target_kib = 1024;
    return 0;
}

int capacity_read(struct xen_session *by, struct capacity *out, struct err *err)
{
    (void)by;
    (void)err;
    *out = (struct capacity){.cpus = 2};
    return 0;
}

/* Not what is looked at here. */
#define IGNORED(NAME, ...)                                                                     \
    void NAME(__VA_ARGS__)                                                                     \
    {                                                                                          \
    }
// clang-format off
IGNORED(capacity_count, struct capacity *a __attribute__((unused)),
        const struct domain_reading *b __attribute__((unused)), bool c __attribute__((unused)))
IGNORED(capacity_show, const struct capacity *a __attribute__((unused)),
        const struct xen_settings *b __attribute__((unused)),
        struct node_status *c __attribute__((unused)))
IGNORED(device_counters_read, uint32_t a __attribute__((unused)),
        struct domain_reading *b __attribute__((unused)))
IGNORED(records_visit, const struct xen_host *a __attribute__((unused)),
        const char *b __attribute__((unused)), const char *c __attribute__((unused)),
        void (*d)(void *context, const char *uuid) __attribute__((unused)),
        void *e __attribute__((unused)))
// clang-format on

void parts_read(struct xen_host *from, struct xen_session *by, uint32_t domid,
                struct domain_reading *out)
{
    (void)from;
    (void)by;
    (void)domid;
    rates_read++;
    out->net_rate_kib_s = rate_kib_s;
}

int records_read(const struct xen_host *from, const char *uuid, struct domain_mark *out)
{
    (void)from;
    (void)uuid;
    (void)out;
    return -ENOENT;
}

bool records_has_saved(const struct xen_host *from, const char *uuid)
{
    (void)from;
    (void)uuid;
    return false;
}

static void set_up(void)
{
    (void)pthread_mutex_init(&host.mutex, NULL);
}

TestSuite(xen_readings, .init = set_up);

static void look(struct domain_list *out)
{
    cr_assert_eq(readings_list(&host, &session, out, NULL), 0);
    cr_assert_eq(out->count, 1);
    cr_assert_str_eq(out->domains[0].vm, "vm");
    cr_assert(out->domains[0].ours);
}

Test(xen_readings, a_domain_that_is_being_made_can_be_given_no_values_yet)
{
    static struct domain_list list;
    made = false;
    look(&list);
    cr_assert_eq(list.domains[0].state, RUN_STATE_UNKNOWN);
    cr_assert_eq(host.known_count, 0);
}

Test(xen_readings, a_domain_that_is_whole_is_known_with_its_state_and_its_values)
{
    static struct domain_list list;
    made = true;
    look(&list);
    cr_assert_eq(list.domains[0].state, RUN_STATE_PAUSED);
    cr_assert_eq(list.domains[0].cap_pct, 40);
    cr_assert_eq(list.domains[0].memory_target_kib, 1024);
    cr_assert_eq(host.known_count, 1);
    cr_assert_eq(host.known[0].domid, DOMID);
}

Test(xen_readings, a_mark_and_the_rates_are_not_asked_for_every_time)
{
    static struct domain_list list;
    made = true;
    rate_kib_s = 10;
    look(&list);
    uint32_t marks = marks_read;
    rate_kib_s = 20;
    look(&list);
    cr_assert_eq(marks_read, marks);
    cr_assert_eq(rates_read, 1);
    cr_assert_eq(list.domains[0].net_rate_kib_s, 10);
    cr_assert_eq(list.domains[0].generation, 3);
}

Test(xen_readings, what_a_call_or_xens_own_limit_may_have_changed_is_read_anew)
{
    static struct domain_list list;
    made = true;
    rate_kib_s = 10;
    look(&list);
    rate_kib_s = 20;
    known_domains_changed(&host, UUID);
    look(&list);
    cr_assert_eq(list.domains[0].net_rate_kib_s, 20);
    rate_kib_s = 30;
    memory_max_kib = 4096;
    look(&list);
    cr_assert_eq(list.domains[0].net_rate_kib_s, 30);
    host.known[0].read_at_ms -= KNOWN_DOMAINS_FRESH_MS;
    rate_kib_s = 40;
    look(&list);
    cr_assert_eq(list.domains[0].net_rate_kib_s, 40);
}

Test(xen_readings, what_a_call_changed_during_a_list_is_read_anew_by_the_next)
{
    static struct domain_list list;
    struct known_domain before;
    made = true;
    look(&list);
    cr_assert(known_domains_find(&host, DOMID, UUID, &before));
    known_domains_changed(&host, UUID);
    known_domains_store(&host, &before, 1);
    cr_assert_eq(host.known[0].read_at_ms, 0);
    cr_assert_eq(host.known[0].changes, 1);
}

Test(xen_readings, domains_come_in_parts_and_each_of_them_once)
{
    libxl_dominfo *list = NULL;
    int count = 0;
    for (domains = 31; domains <= 65; domains++) {
        cr_assert_eq(domain_infos_read(&session, &list, &count, NULL), 0);
        cr_assert_eq(count, (int)domains);
        for (int i = 0; i < count; i++) {
            cr_assert_eq(list[i].domid, DOMID + 2 * (uint32_t)i);
        }
        free(list);
    }
}

Test(xen_readings, what_xen_says_of_a_domain_is_told_in_the_words_of_libxl)
{
    xc_domaininfo_t domain = {.domain = 5,
                              .flags = XEN_DOMINF_shutdown | 3u << XEN_DOMINF_shutdownshift,
                              .tot_pages = 256,
                              .max_pages = 512,
                              .cpu_time = 77,
                              .nr_online_vcpus = 2,
                              .max_vcpu_id = 3,
                              .cpupool = 1,
                              .handle = {1, 2, 3}};
    libxl_dominfo info;
    domain_info_of(&domain, &info);
    cr_assert(info.shutdown);
    cr_assert_not(info.dying);
    cr_assert_eq(info.shutdown_reason, LIBXL_SHUTDOWN_REASON_CRASH);
    cr_assert_eq(info.current_memkb, 1024);
    cr_assert_eq(info.max_memkb, 2048);
    cr_assert_eq(info.cpu_time, 77);
    cr_assert_eq(info.vcpu_online, 2);
    cr_assert_eq(info.vcpu_max_id, 3);
    cr_assert_eq(info.cpupool, 1);
    cr_assert_eq(info.uuid.uuid[2], 3);
    domain.flags = XEN_DOMINF_dying | XEN_DOMINF_blocked;
    domain_info_of(&domain, &info);
    cr_assert(info.dying && info.blocked);
    cr_assert_not(info.shutdown || info.running || info.paused);
    cr_assert_eq(info.shutdown_reason, LIBXL_SHUTDOWN_REASON_UNKNOWN);
}
#endif
