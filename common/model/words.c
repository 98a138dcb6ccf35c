// SPDX-License-Identifier: Apache-2.0
/* The words of the enumerations in this folder. */
#include "common/model/decision.h"
#include "common/model/metric.h"
#include "common/model/object.h"
#include "common/model/vm.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

const char *metric_kind_word(enum metric_kind kind)
{
    static const char *const words[] = {
#define METRIC_WORD(name, word) word,
        METRICS(METRIC_WORD)
#undef METRIC_WORD
    };
    unsigned index = (unsigned)kind;
    return index < COUNT_OF(words) ? words[index] : words[0];
}

const char *object_kind_word(enum object_kind kind)
{
    static const char *const words[] = {"object",   "service", "vm",      "node",
                                        "image",    "storage", "network", "agreement",
                                        "settings", "profile"};
    unsigned index = (unsigned)kind;
    return index < COUNT_OF(words) ? words[index] : words[0];
}

const char *run_state_word(enum run_state state)
{
    static const char *const words[] = {"unspecified", "running", "paused",  "suspended",
                                        "stopped",     "absent",  "crashed", "unknown"};
    unsigned index = (unsigned)state;
    return index < COUNT_OF(words) ? words[index] : words[0];
}

const char *event_kind_word(enum event_kind kind)
{
    static const char *const words[] = {
        "unspecified",   "decision",   "action",         "objective-missed",
        "objective-met", "node-lost",  "node-back",      "vm-lost",
        "vm-placed",     "vm-waiting", "changed",        "mode",
        "alarm",         "migration",  "scheduler-late", "profile-outdated"};
    unsigned index = (unsigned)kind;
    return index < COUNT_OF(words) ? words[index] : words[0];
}
