// SPDX-License-Identifier: Apache-2.0
#include "common/io/domain.h"

#include <string.h>

#define BIT(role) (1u << (unsigned)(role))

static const char *const words[BUS_DOMAIN_COUNT] = {"", "control", "telemetry", "api",
                                                    "events"};

static const unsigned admitted[BUS_DOMAIN_COUNT] = {
    [BUS_DOMAIN_CONTROL] = BIT(ROLE_AGENT),
    [BUS_DOMAIN_TELEMETRY] = BIT(ROLE_AGENT),
    [BUS_DOMAIN_API] = BIT(ROLE_ADMINISTRATOR) | BIT(ROLE_PROVIDER) | BIT(ROLE_OBSERVER),
    [BUS_DOMAIN_EVENTS] = BIT(ROLE_ADMINISTRATOR) | BIT(ROLE_OBSERVER),
};

const char *domain_word(enum bus_domain domain)
{
    unsigned index = (unsigned)domain;
    return index < BUS_DOMAIN_COUNT ? words[index] : words[0];
}

enum bus_domain domain_from_word(const char *word, size_t size)
{
    for (unsigned i = 1; i < BUS_DOMAIN_COUNT; i++) {
        if (strlen(words[i]) == size && memcmp(words[i], word, size) == 0) {
            return (enum bus_domain)i;
        }
    }
    return (enum bus_domain)0;
}

bool domain_admits(enum bus_domain domain, enum role role)
{
    unsigned index = (unsigned)domain;
    unsigned bit = (unsigned)role;
    return index < BUS_DOMAIN_COUNT && bit < ROLE_COUNT && (admitted[index] & BIT(bit)) != 0;
}
