// SPDX-License-Identifier: Apache-2.0
/* Images that VMs here need: each is fetched and verified once, by the loop. */
#include <string.h>

#include "common/model/object.h"
#include "node-agent/core/agent_state.h"

#define IMAGE_RETRY_MS 15000

static struct image_record *find(struct agent *agent, const char *image, const char *sha256)
{
    for (uint32_t i = 0; i < IMAGES_MAX; i++) {
        struct image_record *record = &agent->images[i];
        if (record->state != IMAGE_NONE && strcmp(record->image, image) == 0 &&
            (sha256 == NULL || strcmp(record->sha256, sha256) == 0)) {
            return record;
        }
    }
    return NULL;
}

/* A free record, else one that no fetch fills. Its file stays in the cache of the loop. */
static struct image_record *take(struct agent *agent)
{
    struct image_record *other = NULL;
    for (uint32_t i = 0; i < IMAGES_MAX; i++) {
        if (agent->images[i].state == IMAGE_NONE) {
            return &agent->images[i];
        }
        if (other == NULL && agent->images[i].state != IMAGE_FETCHING) {
            other = &agent->images[i];
        }
    }
    return other;
}

static bool is_fetching(struct agent *agent, const char *image)
{
    for (uint32_t i = 0; i < IMAGES_MAX; i++) {
        if (agent->images[i].state == IMAGE_FETCHING &&
            strcmp(agent->images[i].image, image) == 0) {
            return true;
        }
    }
    return false;
}

enum image_state agent_image_need(struct agent *agent, const struct vm_record *vm,
                                  const struct image_record **image, struct agent_effects *out)
{
    const struct vm_order *order = &vm->order;
    *image = NULL;
    if (order->image_format == IMAGE_FORMAT_MODEL || order->image_source[0] == '\0') {
        return IMAGE_READY;
    }
    struct image_record *record = find(agent, order->image, order->image_sha256);
    bool wanted = record == NULL ||
                  (record->state == IMAGE_FAILED && agent->now_ms >= record->retry_at_ms);
    if (wanted) {
        /* The answer names the image alone: another version of it is waited for. */
        if (is_fetching(agent, order->image)) {
            return IMAGE_FETCHING;
        }
        record = record != NULL ? record : take(agent);
        if (record == NULL) {
            return IMAGE_FETCHING;
        }
        *record = (struct image_record){.state = IMAGE_FETCHING};
        agent_text_copy(record->image, sizeof record->image, order->image);
        agent_text_copy(record->sha256, sizeof record->sha256, order->image_sha256);
        struct agent_effect *effect = agent_effect_add(out, AGENT_EFFECT_FETCH);
        agent_text_copy(effect->fetch.image, sizeof effect->fetch.image, order->image);
        agent_text_copy(effect->fetch.source, sizeof effect->fetch.source, order->image_source);
        agent_text_copy(effect->fetch.sha256, sizeof effect->fetch.sha256, order->image_sha256);
    }
    *image = record;
    return record->state;
}

void agent_image_done(struct agent *agent, const struct agent_event *event)
{
    for (uint32_t i = 0; i < IMAGES_MAX; i++) {
        struct image_record *record = &agent->images[i];
        if (record->state != IMAGE_FETCHING || strcmp(record->image, event->image.image) != 0) {
            continue;
        }
        record->state = event->image.code == 0 ? IMAGE_READY : IMAGE_FAILED;
        record->reason = event->image.reason;
        record->retry_at_ms = agent->now_ms + IMAGE_RETRY_MS;
        agent_text_copy(record->path, sizeof record->path,
                        event->image.path != NULL ? event->image.path : "");
        agent_text_copy(record->text, sizeof record->text,
                        event->image.text != NULL ? event->image.text : "");
    }
}
