// SPDX-License-Identifier: Apache-2.0
/*
 * Create, end, pause, save. Domains are persistent: one that is shut down stays known to
 * libvirt with its mark, also over a restart of libvirtd, until it is destroyed together with
 * its disk.
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/model/object.h"
#include "node-agent/io/driver/guest_disk.h"
#include "node-agent/io/libvirt/guest_init.h"
#include "node-agent/io/libvirt/operations.h"
#include "node-agent/io/libvirt/readings.h"

#define POLL_MS             50
#define ASK_AGAIN_MS        1000
#define POWER_OFF_MARGIN_MS 4000 /* QEMU takes 1 to 2 s to end, more on a busy host */
#define CLEAN_UP_MS         10000

static bool last_error_is(int code)
{
    const virError *last = virGetLastError();
    return last != NULL && last->code == code;
}

static bool is_off(virDomainPtr domain)
{
    return virDomainIsActive(domain) == 0;
}

/*
 * Made paused where the driver can; a container starts running, and the agent's resume finds it
 * so. test:/// knows the flag from some version on.
 */
static int start_domain(const struct libvirt_host *host, virDomainPtr domain, struct err *err)
{
    if (host->kind != LIBVIRT_LXC) {
        if (virDomainCreateWithFlags(domain, VIR_DOMAIN_START_PAUSED) == 0) {
            return 0;
        }
        if (!last_error_is(VIR_ERR_INVALID_ARG) &&
            !last_error_is(VIR_ERR_ARGUMENT_UNSUPPORTED)) {
            return libvirt_error(err, "start");
        }
    }
    return virDomainCreate(domain) == 0 ? 0 : libvirt_error(err, "start");
}

static int define_and_start(const struct libvirt_host *host, virConnectPtr connection,
                            const struct domain_plan *plan, bool was_defined, struct err *err)
{
    char *xml = calloc(1, DOMAIN_XML_SIZE);
    if (xml == NULL) {
        return err_set(err, -ENOMEM, "no memory for the description of a domain");
    }
    int rc = domain_xml(plan, xml, err);
    if (rc != 0) {
        free(xml);
        return rc;
    }
    virDomainPtr domain = virDomainDefineXML(connection, xml);
    free(xml);
    if (domain == NULL) {
        return libvirt_error(err, "define");
    }
    rc = start_domain(host, domain, err);
    if (rc != 0 && !was_defined) {
        (void)virDomainUndefine(domain); /* the failure to start is the one to tell */
    }
    (void)virDomainFree(domain);
    return rc;
}

/* 0: there is none; 1: it is ours and off; negative: it must not be made. */
static int look_for_old(const struct libvirt_host *host, virConnectPtr connection,
                        const struct hypervisor_call *call, struct err *err)
{
    struct err missing = {0};
    virDomainPtr domain = operations_find(host, connection, call, &missing);
    if (domain == NULL) {
        return missing.code == -ENOENT ? 0 : err_set(err, missing.code, "%s", missing.text);
    }
    int rc = is_off(domain) ? 1
                            : err_set(err, -EEXIST, "a domain with uuid %s is running already",
                                      call->order.uuid);
    (void)virDomainFree(domain);
    return rc;
}

int life_cycle_create(struct libvirt_host *host, virConnectPtr connection,
                      const struct hypervisor_call *call, struct err *err)
{
    int old = look_for_old(host, connection, call, err);
    if (old < 0) {
        return err_wrap(err, "create %s", call->order.vm);
    }
    char disk[DISK_PATH_SIZE] = "";
    bool made = false;
    int rc = 0;
    if (host->kind != LIBVIRT_TEST && call->order.image_format != IMAGE_FORMAT_KERNEL) {
        rc = guest_disk_path(host->state_folder, &call->order, disk, err);
        rc = rc != 0 ? rc : guest_disk_prepare(call, disk, &made, err);
    }
    if (rc == 0) {
        struct domain_plan plan = {
            .kind = host->kind, .node = host->node, .disk = disk, .call = call};
        rc = define_and_start(host, connection, &plan, old == 1, err);
    }
    if (rc != 0 && made) {
        /* The failure above is the one to tell, even if it was the deadline. */
        (void)guest_disk_discard(disk, clock_boot_ms() + CLEAN_UP_MS, NULL);
    }
    return rc == 0 ? 0 : err_wrap(err, "create %s", call->order.vm);
}

static int power_off(const struct libvirt_host *host, virDomainPtr domain, struct err *err)
{
    if (host->kind == LIBVIRT_LXC) {
        (void)guest_init_kill(domain); /* only makes it faster */
    }
    if (!is_off(domain) && virDomainDestroy(domain) != 0 && !is_off(domain)) {
        return libvirt_error(err, "power off");
    }
    return 0;
}

static int end_domain(const struct libvirt_host *host, virDomainPtr domain, bool forget,
                      struct err *err)
{
    int rc = power_off(host, domain, err);
    if (rc != 0) {
        return rc;
    }
    if (!forget || virDomainIsPersistent(domain) != 1) {
        return 0;
    }
    unsigned int flags = 0;
    if (host->kind == LIBVIRT_QEMU || host->kind == LIBVIRT_KVM) {
        flags = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_NVRAM;
    } else if (host->kind == LIBVIRT_XEN) {
        flags = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE;
    }
    if (virDomainUndefineFlags(domain, flags) != 0 && !last_error_is(VIR_ERR_NO_DOMAIN)) {
        return libvirt_error(err, "undefine");
    }
    return 0;
}

/* Only copy disks go with their VM; what lies on a storage stays. */
static int discard_files(const struct libvirt_host *host, const struct hypervisor_call *call,
                         struct err *err)
{
    char saved[SAVED_PATH_SIZE];
    if (saved_path(host, call->order.uuid, saved) == 0) {
        (void)unlink(saved); /* most VMs have none */
    }
    char disk[DISK_PATH_SIZE];
    if (call->order.disk_kind != DISK_KIND_COPY) {
        return 0;
    }
    int rc = guest_disk_path(host->state_folder, &call->order, disk, err);
    return rc != 0 ? rc : guest_disk_discard(disk, call->deadline_ms, err);
}

int life_cycle_destroy(struct libvirt_host *host, virConnectPtr connection,
                       const struct hypervisor_call *call, struct err *err)
{
    struct err missing = {0};
    virDomainPtr domain = operations_find(host, connection, call, &missing);
    if (domain == NULL && missing.code != -ENOENT) {
        return err_set(err, missing.code, "destroy: %s", missing.text);
    }
    int rc = 0;
    if (domain != NULL) {
        rc = end_domain(host, domain, call->discard_disk, err);
        (void)virDomainFree(domain);
    }
    if (rc == 0 && call->discard_disk) {
        rc = discard_files(host, call, err);
    }
    return rc == 0 ? 0 : err_wrap(err, "destroy %s", call->order.vm);
}

int life_cycle_pause(virDomainPtr domain, struct err *err)
{
    int state = VIR_DOMAIN_NOSTATE;
    if (virDomainGetState(domain, &state, NULL, 0) == 0 && state == VIR_DOMAIN_PAUSED) {
        return 0;
    }
    return virDomainSuspend(domain) == 0 ? 0 : libvirt_error(err, "pause");
}

int life_cycle_resume(virDomainPtr domain, struct err *err)
{
    int state = VIR_DOMAIN_NOSTATE;
    if (virDomainGetState(domain, &state, NULL, 0) == 0 && state == VIR_DOMAIN_RUNNING) {
        return 0;
    }
    return virDomainResume(domain) == 0 ? 0 : libvirt_error(err, "resume");
}

/* libvirt's own way for machines; for containers see guest_init.h. */
static int ask_to_shut_down(const struct libvirt_host *host, virDomainPtr domain,
                            struct err *err)
{
    bool container = host->kind == LIBVIRT_LXC;
    if (container && guest_init_shutdown(domain) == 0) {
        return 0;
    }
    unsigned int flags = container ? VIR_DOMAIN_SHUTDOWN_SIGNAL : 0;
    if (virDomainShutdownFlags(domain, flags) != 0 && !is_off(domain)) {
        return libvirt_error(err, "shut down");
    }
    return 0;
}

/*
 * Asks again every second: a guest that has only just been started does not hear the first
 * time, as its init or its ACPI daemon is not there yet.
 */
static bool ask_until_off(const struct libvirt_host *host, virDomainPtr domain,
                          int64_t until_ms, struct err *refused)
{
    int64_t ask_at_ms = 0;
    while (!is_off(domain)) {
        int64_t now_ms = clock_boot_ms();
        if (now_ms >= until_ms) {
            return false;
        }
        if (now_ms >= ask_at_ms) {
            ask_at_ms = now_ms + ASK_AGAIN_MS;
            if (ask_to_shut_down(host, domain, refused) != 0) {
                return false;
            }
        }
        (void)poll(NULL, 0, POLL_MS);
    }
    return true;
}

int life_cycle_shutdown(const struct libvirt_host *host, virDomainPtr domain,
                        const struct hypervisor_call *call, char note[TEXT_SIZE],
                        struct err *err)
{
    if (is_off(domain)) {
        return 0;
    }
    int64_t began_ms = clock_boot_ms();
    int64_t left_ms = call->deadline_ms - began_ms;
    int64_t margin_ms = left_ms / 4 < POWER_OFF_MARGIN_MS ? left_ms / 4 : POWER_OFF_MARGIN_MS;
    /* A frozen guest cannot answer. */
    (void)life_cycle_resume(domain, NULL);
    struct err refused = {0};
    if (ask_until_off(host, domain, call->deadline_ms - margin_ms, &refused)) {
        return 0;
    }
    int rc = power_off(host, domain, err);
    if (rc != 0) {
        return rc;
    }
    if (refused.code != 0) {
        (void)snprintf(note, TEXT_SIZE, "powered off: %.200s", refused.text);
    } else {
        (void)snprintf(note, TEXT_SIZE, "did not shut down in %lld ms: powered off",
                       (long long)(clock_boot_ms() - began_ms));
    }
    return 0;
}

/*
 * Shut down and started again by us: this also works for guests whose init does not know how to
 * reboot, and a new start is what carries changed values of the definition in.
 */
int life_cycle_reboot(const struct libvirt_host *host, virDomainPtr domain,
                      const struct hypervisor_call *call, char note[TEXT_SIZE], struct err *err)
{
    int64_t left_ms = call->deadline_ms - clock_boot_ms();
    struct hypervisor_call half = *call; /* the other half is for the start */
    half.deadline_ms -= left_ms / 2;
    int rc = life_cycle_shutdown(host, domain, &half, note, err);
    if (rc == 0 && virDomainCreate(domain) != 0) {
        rc = libvirt_error(err, "start again");
    }
    return rc;
}

int life_cycle_suspend(const struct libvirt_host *host, virDomainPtr domain,
                       const struct hypervisor_call *call, struct err *err)
{
    char path[SAVED_PATH_SIZE];
    char part[SAVED_PATH_SIZE + 8];
    if (saved_path(host, call->order.uuid, path) != 0) {
        return err_set(err, -ENAMETOOLONG, "the state folder's path is too long");
    }
    (void)snprintf(part, sizeof(part), "%s.part", path);
    (void)unlink(part); /* of an attempt that a crash interrupted */
    if (virDomainSaveFlags(domain, part, NULL, 0) != 0) {
        int rc = libvirt_error(err, "suspend");
        (void)unlink(part);
        (void)life_cycle_resume(domain, NULL); /* it must not stay frozen by a failed save */
        return rc;
    }
    return rename(part, path) == 0
               ? 0
               : err_set(err, -errno, "%s: %s", path, strerrordesc_np(errno));
}

int life_cycle_restore(const struct libvirt_host *host, virConnectPtr connection,
                       const struct hypervisor_call *call, struct err *err)
{
    char path[SAVED_PATH_SIZE];
    if (saved_path(host, call->order.uuid, path) != 0 || access(path, R_OK) != 0) {
        return err_set(err, -ENOENT, "restore %s: no saved file %s", call->order.vm, path);
    }
    int old = look_for_old(host, connection, call, err);
    if (old < 0) {
        return err_wrap(err, "restore %s", call->order.vm);
    }
    if (virDomainRestore(connection, path) != 0) {
        return libvirt_error(err, "restore");
    }
    (void)unlink(path); /* it runs: the file would only be an old copy of it */
    return 0;
}
