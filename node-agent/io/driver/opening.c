// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/driver/opening.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#define FOLDER_ROOM 64 /* for names below the state folder */

int opening_check(const struct hypervisor_settings *settings, const char *driver,
                  struct err *err)
{
    const char *folder = settings->state_folder;
    if (folder == NULL || folder[0] != '/' || strlen(folder) >= PATH_SIZE - FOLDER_ROOM) {
        return err_set(err, -EINVAL, "%s needs the full path of a state folder", driver);
    }
    if (settings->node == NULL || settings->node[0] == '\0' ||
        strlen(settings->node) >= NAME_SIZE) {
        return err_set(err, -EINVAL, "%s needs the name of the node", driver);
    }
    return 0;
}

void opening_stay_loaded(void)
{
    Dl_info self;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): ISO C knows no other way
    if (dladdr((const void *)(uintptr_t)&opening_stay_loaded, &self) != 0) {
        (void)dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
    }
}
