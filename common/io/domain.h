// SPDX-License-Identifier: Apache-2.0
/* Inside common/io: bus domains as ZAP words, and which roles each admits. */
#ifndef COMMON_IO_DOMAIN_H
#define COMMON_IO_DOMAIN_H

#include "common/io/bus.h"

#define BUS_DOMAIN_COUNT 5

const char *domain_word(enum bus_domain domain);
/* 0 when there is none of that word. */
enum bus_domain domain_from_word(const char *word, size_t size);
bool domain_admits(enum bus_domain domain, enum role role);

#endif
