// SPDX-License-Identifier: Apache-2.0
/*
 * Profiles. Like services they belong to who wrote them; a service uses one of its own owner's,
 * or one that the administrator chose for it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/requests.h"

struct profile_record *request_profile(struct request_context *context, const char *name)
{
    struct profile_record *profile = table_find(&context->cluster->profiles, name);
    return profile != NULL &&
                   authorize_owner(context->access, context->principal, profile->meta.owner)
               ? profile
               : NULL;
}

static bool is_fitting(const struct profile *profile, const struct service *service)
{
    return service->objective.has_response_time &&
           !isnan(profile_factor(profile, &service->objective.response_time));
}

/* Services that name it must still be able to use it. */
static bool keeps_users(struct request_context *context, const struct profile *profile)
{
    const struct service_record *service = NULL;
    for (uint32_t i = 0; (service = table_next(&context->cluster->services, &i)) != NULL;) {
        if (strcmp(service->spec.profile, profile->profile) == 0 &&
            !is_fitting(profile, &service->spec)) {
            reply_fact(context, "service %s", service->spec.service);
        }
    }
    if (context->reply->facts_count == 0) {
        return true;
    }
    reply_refuse(context, REPLY_CONFLICT, REASON_IN_USE,
                 "profile %s cannot change its statistic (mean, p50, p95): services use it",
                 profile->profile);
    return false;
}

bool request_may_put_profile(struct request_context *context)
{
    const struct profile *profile = &context->request->object.profile;
    const struct profile_record *present =
        table_find(&context->cluster->profiles, profile->profile);
    if (present != NULL &&
        !authorize_owner(context->access, context->principal, present->meta.owner)) {
        reply_refuse(context, REPLY_DENIED, REASON_DENIED,
                     "profile %s: this name is not free for %s", profile->profile,
                     context->principal);
        return false;
    }
    struct err err = {0};
    struct profile_table *table = effects_alloc(context->out, sizeof *table);
    if (profile_init(table, profile->points, profile->points_count, &err) != 0) {
        reply_refuse(context, REPLY_INVALID, REASON_INVALID, "profile %s is not valid: %s",
                     profile->profile, err.text);
        reply_hint(context, "arbiter explain profile");
        return false;
    }
    if (isnan(profile_factor(profile, &profile->response_time))) {
        reply_refuse(context, REPLY_INVALID, REASON_INVALID,
                     "profile %s is not valid: response_time needs one of mean, p50, p95",
                     profile->profile);
        return false;
    }
    return keeps_users(context, profile);
}

enum reason request_check_profile(struct request_context *context, const struct service *spec,
                                  const struct service_record *present)
{
    const char *name = spec->profile;
    if (name[0] == '\0') {
        return REASON_NONE;
    }
    const struct profile_record *profile = table_find(&context->cluster->profiles, name);
    const bool kept = present != NULL && strcmp(present->spec.profile, name) == 0;
    if (profile == NULL ||
        (!kept && !authorize_owner(context->access, context->principal, profile->meta.owner))) {
        reply_fact(context, "profile: profile %s does not exist", name);
        reply_hint(context, "arbiter get profile");
        return REASON_NO_PROFILE;
    }
    if (!is_fitting(&profile->spec, spec)) {
        reply_fact(context,
                   "profile: %s is of another statistic than the objective (mean, p50, "
                   "p95)",
                   name);
        return REASON_NO_PROFILE;
    }
    return REASON_NONE;
}
