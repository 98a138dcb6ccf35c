// SPDX-License-Identifier: Apache-2.0
// link: arbiter_common_io arbiter_common
/*
 * The limit of a guest's disks as it is written for the kernel, in a folder that stands for the
 * cgroups in a mount namespace of this test's own. Skipped without the right to make one.
 */
#include <stdlib.h>

#if !__has_include(<libxl.h>)
#include <stdio.h>

int main(void)
{
    (void)puts("skipped: built without libxl");
    return 77;
}
#else

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include "node-agent/io/xen/rates_disk.c"
#include "tests/threads/require.h"

#define GUEST "11111111-2222-4333-8444-00000000e001"
#define DOMID 4242

/* Xen's store of a guest with one disk on device 202:16, as blkback writes it. */
char **xs_directory(struct xs_handle *store, xs_transaction_t transaction, const char *path,
                    unsigned int *count)
{
    static char disk[] = "51712";
    (void)store;
    (void)transaction;
    *count = strstr(path, "/vbd/4242") != NULL ? 1 : 0;
    char **names = *count == 1 ? calloc(1, sizeof *names) : NULL;
    if (names != NULL) {
        names[0] = disk;
    }
    return names;
}

int session_read(struct xen_session *session, const char *path, char *out, size_t size)
{
    (void)session;
    REQUIRE(strcmp(path, "/local/domain/0/backend/vbd/4242/51712/physical-device") == 0);
    (void)snprintf(out, size, "ca:10");
    return 0;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    REQUIRE(file != NULL);
    REQUIRE(fputs(text, file) >= 0 && fclose(file) == 0);
}

static bool holds(const char *path, const char *text)
{
    char found[256] = "";
    FILE *file = fopen(path, "re");
    REQUIRE(file != NULL);
    found[fread(found, 1, sizeof found - 1, file)] = '\0';
    (void)fclose(file);
    return strncmp(found, text, strlen(text)) == 0;
}

int main(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", ROOT, "tmpfs", 0, NULL) != 0) {
        (void)puts("skipped: no right to make a mount namespace");
        return 77;
    }
    REQUIRE(strstr(rates_disk_missing(), "controller io") != NULL);
    write_file(ROOT "/cgroup.controllers", "cpuset cpu iothing memory\n");
    REQUIRE(rates_disk_missing()[0] != '\0');
    write_file(ROOT "/cgroup.controllers", "cpuset cpu io memory\n");
    REQUIRE(rates_disk_missing()[0] == '\0');

    struct err err = {0};
    static struct xen_session session;
    struct xen_session *none = &session;
    REQUIRE(rates_disk_set(none, 7, GUEST, 1024, &err) == -ENODEV);
    REQUIRE(rates_disk_set(none, 7, GUEST, 0, &err) == 0);
    REQUIRE(rates_disk_get(DOMID, GUEST) == 0);

    REQUIRE(mkdir(GROUPS, 0755) == 0 && mkdir(GROUPS "/" GUEST, 0755) == 0);
    write_file(GROUPS "/" GUEST "/io.max", "");
    write_file(GROUPS "/" GUEST "/cgroup.procs", "");
    /* A program that calls itself like a thread of the backend is none. */
    REQUIRE(prctl(PR_SET_NAME, "4242.xvda-0") == 0);
    REQUIRE(rates_disk_set(none, DOMID, GUEST, 1024, &err) == -ESRCH);
    REQUIRE(strstr(err.text, "domain 4242") != NULL);
    REQUIRE(holds(GROUPS "/" GUEST "/io.max", "202:16 rbps=1048576 wbps=1048576"));
    REQUIRE(holds(GROUPS "/" GUEST "/cgroup.procs", ""));
    REQUIRE(rates_disk_get(DOMID, GUEST) == 0); /* no thread is held: no limit */
    REQUIRE(rates_disk_set(none, DOMID, GUEST, 0, &err) == -ESRCH);
    REQUIRE(holds(GROUPS "/" GUEST "/io.max", "202:16 rbps=max wbps=max"));
    return EXIT_SUCCESS;
}
#endif
