// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/io/store.h"

#include <string.h>

#include "orchestrator/io/store_sqlite.h"

const struct store_driver *store_driver_find(const char *name)
{
    static const struct store_driver *const drivers[] = {&store_sqlite, NULL};
    const struct store_driver *const *driver = drivers;
    while (*driver != NULL && strcmp((*driver)->name, name) != 0) {
        driver++;
    }
    return *driver;
}
