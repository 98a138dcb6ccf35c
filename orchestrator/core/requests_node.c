// SPDX-License-Identifier: Apache-2.0
/* Cordon, uncordon, drain and confirm-dead of a node; the mode of the cluster. */
#include <stdio.h>

#include "orchestrator/core/requests.h"

/* The node to be written, NULL and refused when there is none or it changed meanwhile. */
static struct node_record *node_to_write(struct request_context *context)
{
    struct node_record *node = request_node(context, context->request->name);
    if (node == NULL || !reply_is_at_revision(context, node->spec.node, &node->meta)) {
        return NULL;
    }
    return node;
}

static void write_node(struct request_context *context, struct node_record *node, bool cordoned,
                       bool draining)
{
    if (node->meta.owner[0] == '\0') {
        (void)snprintf(node->meta.owner, NAME_SIZE, "%s", context->principal);
    }
    node->spec.version = node->spec.version == 0 ? 1 : node->spec.version;
    node->spec.cordoned = cordoned;
    node->spec.draining = draining;
    emit_node(context->cluster, node, context->out);
}

void request_cordon(struct request_context *context)
{
    struct node_record *node = node_to_write(context);
    if (node == NULL) {
        return;
    }
    if (node->spec.cordoned) {
        reply_text(context, "node %s: unchanged, it is cordoned", node->spec.node);
        return;
    }
    write_node(context, node, true, node->spec.draining);
    (void)request_event(context, NULL, NULL, node->spec.node,
                        "cordons node %s: no new vms go there", node->spec.node);
    reply_text(context, "node %s: cordoned, its %u vms stay", node->spec.node, node->vms);
}

void request_uncordon(struct request_context *context)
{
    struct node_record *node = node_to_write(context);
    if (node == NULL) {
        return;
    }
    if (!node->spec.cordoned && !node->spec.draining) {
        reply_text(context, "node %s: unchanged, it is open", node->spec.node);
        return;
    }
    write_node(context, node, false, false);
    (void)request_event(context, NULL, NULL, node->spec.node,
                        "uncordons node %s: it takes vms again", node->spec.node);
    reply_text(context, "node %s: open for vms", node->spec.node);
    plan_waiting(context->cluster, context->out);
}

void request_drain(struct request_context *context)
{
    struct node_record *node = node_to_write(context);
    if (node == NULL) {
        return;
    }
    if (node->spec.draining) {
        reply_text(context, "node %s: unchanged, it is draining, %u vms are left",
                   node->spec.node, node->vms);
        return;
    }
    uint32_t vms = node->vms;
    write_node(context, node, true, true);
    (void)request_event(context, NULL, NULL, node->spec.node, "drains node %s of its %u vms",
                        node->spec.node, vms);
    recovery_drain(context->cluster, node, context->out);
    reply_text(context, "node %s: draining, %u vms are to leave", node->spec.node, vms);
    reply_hint(context, "arbiter get vm --node %s", node->spec.node);
}

void request_confirm_dead(struct request_context *context)
{
    struct cluster *cluster = context->cluster;
    struct node_record *node = node_to_write(context);
    if (node == NULL) {
        return;
    }
    if (node->state == NODE_STATE_UP) {
        double age_s = (double)(cluster->now_ms - node->heard_at_ms) / 1000.0;
        reply_refuse(context, REPLY_CONFLICT, REASON_CONFLICT,
                     "node %s is not dead: it was heard %.1f s ago", node->spec.node, age_s);
        reply_hint(context, "arbiter drain %s", node->spec.node);
        return;
    }
    if (node->state == NODE_STATE_DEAD && node->life.confirmed_dead) {
        reply_text(context, "node %s: unchanged, it is confirmed dead", node->spec.node);
        return;
    }
    (void)request_event(context, NULL, NULL, node->spec.node,
                        "confirms that node %s is dead: its vms may start elsewhere",
                        node->spec.node);
    uint32_t vms = node->vms;
    recovery_node_confirmed_dead(cluster, node, context->out);
    reply_text(context, "node %s: confirmed dead, %u vms were on it", node->spec.node, vms);
}

/* What is stored is the more careful of both: a restart in between must not leave the manager
 * acting where it was allowed to for an hour. */
static uint32_t care(enum mode mode)
{
    return mode == MODE_HOLD ? 2u : mode == MODE_ADVISE ? 1u : 0u;
}

static void store_mode(struct request_context *context, enum mode before, enum mode mode)
{
    struct cluster *cluster = context->cluster;
    if (cluster->settings_meta.owner[0] == '\0') {
        (void)snprintf(cluster->settings_meta.owner, NAME_SIZE, "%s", context->principal);
    }
    struct settings *stored = effects_alloc(context->out, sizeof *stored);
    *stored = cluster->settings;
    bool keeps_before = cluster->mode_until_ms != 0 && care(before) > care(mode);
    stored->mode = keeps_before ? before : mode;
    cluster->settings_stored = true;
    emit_object(cluster, OBJECT_KIND_SETTINGS, cluster->settings.settings,
                &cluster->settings_meta, stored, context->out);
}

void request_mode(struct request_context *context)
{
    struct cluster *cluster = context->cluster;
    enum mode mode = context->request->mode;
    uint32_t for_ms = context->request->for_ms;
    if (mode != MODE_ADVISE && mode != MODE_ACT && mode != MODE_HOLD) {
        reply_refuse(context, REPLY_INVALID, REASON_INVALID,
                     "mode: one of advise, act, hold must be given");
        return;
    }
    enum mode present = cluster->settings.mode;
    if (mode == present && for_ms == 0 && cluster->mode_until_ms == 0) {
        reply_text(context, "mode: unchanged, it is %s", cluster_mode_word(mode));
        return;
    }
    /* "For an hour" during another such time: afterwards what was before both. */
    enum mode before = cluster->mode_until_ms != 0 ? cluster->mode_before : present;
    cluster->settings.mode = mode;
    cluster->mode_before = before;
    cluster->mode_until_ms = for_ms == 0 ? 0 : cluster->now_ms + for_ms;
    store_mode(context, before, mode);
    struct event_record *event =
        for_ms == 0 ? request_event(context, NULL, NULL, NULL, "sets the mode from %s to %s",
                                    cluster_mode_word(present), cluster_mode_word(mode))
                    : request_event(context, NULL, NULL, NULL,
                                    "sets the mode from %s to %s for %u s, then %s again",
                                    cluster_mode_word(present), cluster_mode_word(mode),
                                    for_ms / 1000, cluster_mode_word(before));
    event->kind = EVENT_KIND_MODE;
    reply_text(context, "mode: %s", cluster_mode_word(mode));
}
