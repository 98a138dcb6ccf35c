// SPDX-License-Identifier: Apache-2.0
/* What was read of an xl.cfg file, and what is told about it. */
#include "orchestrator/client/xl_config_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void xl_tell(struct xl_messages *messages, enum xl_severity severity, int line,
             const char *format, ...)
{
    messages->mistakes += severity == XL_MISTAKE ? 1u : 0u;
    uint32_t index = messages->count++;
    if (index >= XL_MESSAGES_MAX) {
        return;
    }
    struct xl_message *message = &messages->items[index];
    message->severity = severity;
    message->line = line;
    va_list values;
    va_start(values, format);
    (void)vsnprintf(message->text, sizeof message->text, format, values);
    va_end(values);
}

struct xl_setting *xl_tree_find(struct xl_config *config, const char *name)
{
    for (uint32_t i = 0; i < config->settings_count; i++) {
        if (strcmp(config->text + config->settings[i].name, name) == 0) {
            return &config->settings[i];
        }
    }
    return NULL;
}

struct xl_setting *xl_config_find(struct xl_config *config, const char *name)
{
    struct xl_setting *setting = xl_tree_find(config, name);
    if (setting != NULL) {
        setting->used = true;
    }
    return setting;
}

const struct xl_value *xl_config_value(const struct xl_config *config,
                                       const struct xl_setting *setting)
{
    return &config->values[setting->value];
}

const char *xl_config_text(const struct xl_config *config, const struct xl_value *value)
{
    return config->text + value->text;
}

const struct xl_value *xl_config_first(const struct xl_config *config,
                                       const struct xl_value *list)
{
    return list->first == XL_NONE ? NULL : &config->values[list->first];
}

const struct xl_value *xl_config_next(const struct xl_config *config,
                                      const struct xl_value *value)
{
    return value->next == XL_NONE ? NULL : &config->values[value->next];
}
