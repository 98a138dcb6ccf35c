// SPDX-License-Identifier: Apache-2.0
/*
 * What the next agent makes of a restore that was cut off. Xen and libxl are played: the making
 * of domains is the lab's (tests/xen).
 */
#include <criterion/criterion.h>

#if !__has_include(<libxl.h>)
Test(xen_making, needs_libxl)
{
    cr_skip("the headers of libxl are not installed");
}
#else
#include <ftw.h>
#include <stdlib.h>

#include "node-agent/io/xen/domain_mark.c"
#include "node-agent/io/xen/making.c"
#include "node-agent/io/xen/records.c"

#define UUID "11111111-2222-3333-4444-555555555555"

static struct xen_host host;
static struct xen_session session;
static int find_code;
static bool find_made;

int domain_find(const struct xen_host *from, struct xen_session *by, const char *uuid,
                struct xen_domain *out, struct err *err)
{
    (void)from;
    (void)by;
    cr_assert_str_eq(uuid, UUID);
    if (find_code != 0) {
        return err_set(err, find_code, "played");
    }
    *out = (struct xen_domain){.domid = 7, .mark = {.made = find_made}};
    return 0;
}

libxl_dominfo *libxl_list_domain(libxl_ctx *ctx, int *count)
{
    (void)ctx;
    *count = 0;
    return calloc(1, sizeof(libxl_dominfo));
}

void libxl_dominfo_list_free(libxl_dominfo *list, int count)
{
    cr_assert_eq(count, 0);
    free(list);
}

/* Linked, and never called here. */
#define UNUSED(TYPE, NAME, ...)                                                                \
    TYPE NAME(__VA_ARGS__)                                                                     \
    {                                                                                          \
        abort();                                                                               \
    }
// clang-format off
UNUSED(int, block_device_attach, const char *a, char b[BLOCK_DEVICE_SIZE], struct err *c)
UNUSED(void, block_device_detach, const char *a)
UNUSED(int, domain_config, const struct xen_host *a, struct xen_session *b,
       const struct domain_plan *c, libxl_domain_config *d, struct err *e)
UNUSED(int, domain_mark_read, const struct xen_host *a, struct xen_session *b, uint32_t c,
       struct domain_mark *d)
UNUSED(enum run_state, domain_state, const libxl_dominfo *a)
UNUSED(void, domain_uuid_text, const libxl_uuid *a, char b[UUID_SIZE])
UNUSED(int, free_memory_for_domain, const struct xen_host *a, struct xen_session *b,
       libxl_domain_config *c, const struct hypervisor_call *d, struct err *e)
UNUSED(int, guest_disk_discard, const char *a, int64_t b, struct err *c)
UNUSED(int, guest_disk_path, const char *a, const struct vm_order *b, char c[DISK_PATH_SIZE],
       struct err *d)
UNUSED(int, guest_disk_prepare, const struct hypervisor_call *a, const char *b, bool *c,
       struct err *d)
UNUSED(void, libxl_domain_config_dispose, libxl_domain_config *a)
UNUSED(int, libxl_domain_create_new, libxl_ctx *a, libxl_domain_config *b, uint32_t *c,
       const libxl_asyncop_how *d, const libxl_asyncprogress_how *e)
UNUSED(int, libxl_domain_create_restore, libxl_ctx *a, libxl_domain_config *b, uint32_t *c,
       int d, int e, const libxl_domain_restore_params *f, const libxl_asyncop_how *g,
       const libxl_asyncprogress_how *h)
UNUSED(int, libxl_domain_destroy, libxl_ctx *a, uint32_t b, const libxl_asyncop_how *c)
UNUSED(int, libxl_domain_info, libxl_ctx *a, libxl_dominfo *b, uint32_t c)
UNUSED(void, libxl_domain_restore_params_dispose, libxl_domain_restore_params *a)
UNUSED(void, libxl_domain_restore_params_init, libxl_domain_restore_params *a)
UNUSED(void, libxl_dominfo_dispose, libxl_dominfo *a)
UNUSED(void, libxl_dominfo_init, libxl_dominfo *a)
UNUSED(const libxl_asyncop_how *, session_how, struct xen_session *a)
UNUSED(int, session_wait, struct xen_session *a, int b, int64_t c, const char *d, struct err *e)
UNUSED(bool, xs_write, struct xs_handle *a, xs_transaction_t b, const char *c, const void *d,
       unsigned int e)
// clang-format on

static void path_of(const char *end, char out[STATE_PATH_SIZE])
{
    cr_assert_eq(host_state_path(&host, RECORDS_SAVED, UUID, out), 0);
    (void)strcat(out, end);
}

static bool is_there_now(const char *end)
{
    char path[STATE_PATH_SIZE];
    path_of(end, path);
    return access(path, F_OK) == 0;
}

static void set_up(void)
{
    char path[STATE_PATH_SIZE];
    (void)snprintf(host.state_folder, sizeof host.state_folder, "/tmp/test_xen_making.XXXXXX");
    cr_assert_not_null(mkdtemp(host.state_folder));
    cr_assert_eq(records_make_folders(&host, NULL), 0);
    path_of(RECORDS_RESTORING, path);
    cr_assert_eq(file_replace(path, "image", 5, 0600, NULL), 0);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void tear_down(void)
{
    (void)nftw(host.state_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(xen_making, .init = set_up, .fini = tear_down);

static void is_kept(int code, bool made)
{
    find_code = code;
    find_made = made;
    making_recover(&host, &session);
    cr_assert(is_there_now(""), "code %d: the only copy of the guest", code);
    cr_assert_not(is_there_now(RECORDS_RESTORING));
}

Test(xen_making, an_image_stays_when_xen_knows_no_domain_of_it)
{
    is_kept(-ENOENT, false);
}

Test(xen_making, an_image_stays_when_its_half_made_domain_could_not_be_ended)
{
    is_kept(0, false);
}

Test(xen_making, an_image_stays_when_its_half_made_domain_is_dying)
{
    is_kept(-EPERM, false); /* its mark is gone already */
}

Test(xen_making, an_image_stays_when_xen_does_not_answer)
{
    is_kept(-EIO, false);
}

Test(xen_making, an_image_goes_when_its_domain_is_whole)
{
    find_code = 0;
    find_made = true;
    making_recover(&host, &session);
    cr_assert_not(is_there_now(""));
    cr_assert_not(is_there_now(RECORDS_RESTORING));
}
#endif
