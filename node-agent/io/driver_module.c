// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/driver_module.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INSTALLED_FOLDER "/usr/lib/arbiter"
#define NAME_LENGTH_MAX  32

void driver_module_folder(const char *chosen, char out[DRIVER_FOLDER_SIZE])
{
    if (chosen[0] != '\0') {
        (void)snprintf(out, DRIVER_FOLDER_SIZE, "%s", chosen);
        return;
    }
    char program[PATH_SIZE];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    (void)snprintf(out, DRIVER_FOLDER_SIZE, "%s", INSTALLED_FOLDER);
    if (size <= 0) {
        return;
    }
    program[size] = '\0';
    for (int level = 0; level < 2; level++) {
        char *slash = strrchr(program, '/');
        if (slash == NULL) {
            return;
        }
        *slash = '\0';
    }
    char beside[DRIVER_FOLDER_SIZE];
    (void)snprintf(beside, sizeof beside, "%s/lib/arbiter", program);
    if (access(beside, R_OK | X_OK) == 0) {
        (void)snprintf(out, DRIVER_FOLDER_SIZE, "%s", beside);
    }
}

/* Cuts "name:uri"; the name becomes part of a path and is checked for it. */
static int cut_choice(const char *choice, char name[NAME_LENGTH_MAX + 1], const char **uri,
                      struct err *err)
{
    size_t length = strcspn(choice, ":");
    if (length == 0) {
        return err_set(err, -EINVAL,
                       "no driver is named: choose one, e.g. --driver xen, --driver "
                       "libvirt:lxc:///, --driver none or --driver model:cpus=2");
    }
    bool fine = length <= NAME_LENGTH_MAX;
    for (size_t i = 0; i < length && fine; i++) {
        fine = islower((unsigned char)choice[i]) || isdigit((unsigned char)choice[i]);
    }
    if (!fine) {
        return err_set(err, -EINVAL, "\"%s\" is no name of a driver", choice);
    }
    memcpy(name, choice, length);
    name[length] = '\0';
    *uri = choice[length] == ':' ? choice + length + 1 : "";
    return 0;
}

static int load(struct driver_module *out, const char *path, const char *name, struct err *err)
{
    if (access(path, F_OK) != 0) {
        return err_set(err, -ENOENT, "driver \"%s\": there is no %s; is its package installed?",
                       name, path);
    }
    out->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (out->handle == NULL) {
        const char *why = dlerror(); // NOLINT(concurrency-mt-unsafe): glibc has one per thread
        return err_set(err, -ENOEXEC, "driver \"%s\": %s", name, why);
    }
    out->driver = dlsym(out->handle, HYPERVISOR_DRIVER_ENTRY);
    if (out->driver == NULL) {
        return err_set(err, -ENOEXEC, "driver \"%s\": %s is no driver", name, path);
    }
    if (out->driver->abi != HYPERVISOR_DRIVER_ABI ||
        out->driver->size != sizeof(struct hypervisor_driver)) {
        return err_set(
            err, -ENOEXEC,
            "driver \"%s\": %s is of another version (interface %u, this agent has %u)", name,
            path, out->driver->abi, HYPERVISOR_DRIVER_ABI);
    }
    return 0;
}

int driver_module_open(struct driver_module *out, const char *choice, const char *folder,
                       const struct hypervisor_settings *settings, struct err *err)
{
    char name[NAME_LENGTH_MAX + 1];
    char in[DRIVER_FOLDER_SIZE];
    char path[DRIVER_FOLDER_SIZE + NAME_LENGTH_MAX + 16];
    struct hypervisor_settings own = *settings;
    *out = (struct driver_module){0};
    int rc = cut_choice(choice, name, &own.uri, err);
    if (rc != 0) {
        return rc;
    }
    driver_module_folder(folder, in);
    (void)snprintf(path, sizeof path, "%s/driver_%s.so", in, name);
    rc = load(out, path, name, err);
    if (rc == 0) {
        struct err why = {.code = -EIO, .text = "it did not say why"};
        out->hypervisor = out->driver->open(&own, &why);
        if (out->hypervisor == NULL) {
            rc = err_set(err, why.code != 0 ? why.code : -EIO,
                         "driver \"%s\" does not open: %.400s", choice, why.text);
        }
    }
    if (rc != 0) {
        driver_module_close(out);
    }
    return rc;
}

void driver_module_close(struct driver_module *module)
{
    if (module->hypervisor != NULL) {
        module->driver->close(module->hypervisor);
    }
    if (module->handle != NULL) {
        (void)dlclose(module->handle); /* at the end of the process it does not matter */
    }
    *module = (struct driver_module){0};
}
