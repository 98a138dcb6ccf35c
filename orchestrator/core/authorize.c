// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/core/authorize.h"

#include <stddef.h>
#include <string.h>

#define KIND(kind) (1u << (kind))
#define NO_KIND    KIND(OBJECT_KIND_UNSPECIFIED)
#define OWNED      (KIND(OBJECT_KIND_SERVICE) | KIND(OBJECT_KIND_VM))
#define INNER      (KIND(OBJECT_KIND_NODE) | KIND(OBJECT_KIND_SETTINGS))

/* What a provider writes itself. */
#define WRITTEN (KIND(OBJECT_KIND_SERVICE) | KIND(OBJECT_KIND_PROFILE))

/* What a provider's file names. */
#define NAMED (KIND(OBJECT_KIND_IMAGE) | KIND(OBJECT_KIND_STORAGE) | KIND(OBJECT_KIND_NETWORK))

struct rule {
    enum method method;
    uint32_t kinds;
    enum access administrator;
    enum access provider;
    enum access observer;
};

static const struct rule rules[] = {
    {METHOD_GET, OWNED, ACCESS_ALL, ACCESS_OWN, ACCESS_ALL},
    {METHOD_GET, NAMED, ACCESS_ALL, ACCESS_NAMES, ACCESS_ALL},
    {METHOD_GET, KIND(OBJECT_KIND_AGREEMENT) | KIND(OBJECT_KIND_PROFILE), ACCESS_ALL,
     ACCESS_OWN, ACCESS_ALL},
    {METHOD_GET, INNER, ACCESS_ALL, ACCESS_NONE, ACCESS_ALL},
    {METHOD_STATUS, NO_KIND, ACCESS_ALL, ACCESS_OWN, ACCESS_ALL},
    {METHOD_EVENTS, NO_KIND, ACCESS_ALL, ACCESS_OWN, ACCESS_ALL},
    {METHOD_DECISIONS, NO_KIND, ACCESS_ALL, ACCESS_OWN, ACCESS_ALL},
    {METHOD_METRICS, NO_KIND, ACCESS_ALL, ACCESS_OWN, ACCESS_ALL},
    {METHOD_PLAN, KIND(OBJECT_KIND_SERVICE), ACCESS_ALL, ACCESS_OWN, ACCESS_ALL},
    {METHOD_PUT, WRITTEN, ACCESS_ALL, ACCESS_OWN, ACCESS_NONE},
    {METHOD_PUT, NAMED | INNER | KIND(OBJECT_KIND_AGREEMENT), ACCESS_ALL, ACCESS_NONE,
     ACCESS_NONE},
    {METHOD_DELETE, WRITTEN, ACCESS_ALL, ACCESS_OWN, ACCESS_NONE},
    {METHOD_DELETE, NAMED | KIND(OBJECT_KIND_NODE) | KIND(OBJECT_KIND_AGREEMENT), ACCESS_ALL,
     ACCESS_NONE, ACCESS_NONE},
    {METHOD_SET_VM, KIND(OBJECT_KIND_VM), ACCESS_ALL, ACCESS_OWN, ACCESS_NONE},
    {METHOD_SET_STATE, OWNED, ACCESS_ALL, ACCESS_OWN, ACCESS_NONE},
    {METHOD_REBOOT, OWNED, ACCESS_ALL, ACCESS_OWN, ACCESS_NONE},
    {METHOD_MOVE, KIND(OBJECT_KIND_VM), ACCESS_ALL, ACCESS_NONE, ACCESS_NONE},
    {METHOD_CORDON, KIND(OBJECT_KIND_NODE), ACCESS_ALL, ACCESS_NONE, ACCESS_NONE},
    {METHOD_UNCORDON, KIND(OBJECT_KIND_NODE), ACCESS_ALL, ACCESS_NONE, ACCESS_NONE},
    {METHOD_DRAIN, KIND(OBJECT_KIND_NODE), ACCESS_ALL, ACCESS_NONE, ACCESS_NONE},
    {METHOD_CONFIRM_DEAD, KIND(OBJECT_KIND_NODE), ACCESS_ALL, ACCESS_NONE, ACCESS_NONE},
    {METHOD_MODE, KIND(OBJECT_KIND_SETTINGS), ACCESS_ALL, ACCESS_NONE, ACCESS_NONE},
};

enum access authorize(enum role role, enum method method, enum object_kind kind)
{
    if ((unsigned)kind >= OBJECT_KIND_COUNT) {
        return ACCESS_NONE;
    }
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].method != method || (rules[i].kinds & KIND(kind)) == 0) {
            continue;
        }
        switch (role) {
        case ROLE_ADMINISTRATOR: return rules[i].administrator;
        case ROLE_PROVIDER: return rules[i].provider;
        case ROLE_OBSERVER: return rules[i].observer;
        case ROLE_AGENT:
        case ROLE_UNSPECIFIED: return ACCESS_NONE;
        }
    }
    return ACCESS_NONE;
}

bool authorize_owner(enum access access, const char *principal, const char *owner)
{
    if (access == ACCESS_ALL) {
        return true;
    }
    /* An object without owner belongs to no provider, nor does anything to a nameless one. */
    return access == ACCESS_OWN && principal[0] != '\0' && strcmp(principal, owner) == 0;
}

bool authorize_is_change(enum method method)
{
    return method >= METHOD_PUT || method == METHOD_UNSPECIFIED;
}
