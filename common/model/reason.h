// SPDX-License-Identifier: Apache-2.0
/*
 * Why something was decided, refused or failed: one closed list, so that scripts can match it.
 * Texts for people are built from a reason and the numbers beside it.
 */
#ifndef COMMON_MODEL_REASON_H
#define COMMON_MODEL_REASON_H

#define REASONS(X)                                                                             \
    X(REASON_UNSPECIFIED, "unspecified")                                                       \
    X(REASON_NONE, "none")                                                                     \
    /* refusals of a request */                                                                \
    X(REASON_INVALID, "invalid")                                                               \
    X(REASON_UNSUPPORTED, "unsupported")                                                       \
    X(REASON_NOT_FOUND, "not-found")                                                           \
    X(REASON_DENIED, "denied")                                                                 \
    X(REASON_CONFLICT, "conflict")                                                             \
    X(REASON_IN_USE, "in-use")                                                                 \
    X(REASON_LIMIT, "limit")                                                                   \
    X(REASON_QUOTA, "quota")                                                                   \
    X(REASON_NO_SPACE, "no-space")                                                             \
    X(REASON_RETRY_LATER, "retry-later")                                                       \
    /* placement */                                                                            \
    X(REASON_NO_CPU, "no-cpu")                                                                 \
    X(REASON_NO_MEMORY, "no-memory")                                                           \
    X(REASON_NO_NODE, "no-node")                                                               \
    X(REASON_CORDONED, "cordoned")                                                             \
    X(REASON_NODE_DOWN, "node-down")                                                           \
    X(REASON_NO_IMAGE, "no-image")                                                             \
    X(REASON_NO_STORAGE, "no-storage")                                                         \
    X(REASON_NO_NETWORK, "no-network")                                                         \
    X(REASON_NO_CAPABILITY, "no-capability")                                                   \
    X(REASON_NO_SELF_FENCE, "no-self-fence")                                                   \
    X(REASON_NO_GATEWAY, "no-gateway")                                                         \
    X(REASON_DISK_PINNED, "disk-pinned")                                                       \
    X(REASON_SPREAD, "spread")                                                                 \
    /* decisions of the manager */                                                             \
    X(REASON_LEVEL_LOW, "level-low")                                                           \
    X(REASON_LEVEL_SPARE, "level-spare")                                                       \
    X(REASON_DEADLINE_LATE, "deadline-late")                                                   \
    X(REASON_DEADLINE_EARLY, "deadline-early")                                                 \
    X(REASON_SEARCH_PROBE, "search-probe")                                                     \
    X(REASON_PAID_FOR_OTHERS, "paid-for-others")                                               \
    X(REASON_SACRIFICED, "sacrificed")                                                         \
    X(REASON_PERSON, "person")                                                                 \
    X(REASON_STALE, "stale")                                                                   \
    /* failures and failover */                                                                \
    X(REASON_LEASE_EXPIRED, "lease-expired")                                                   \
    X(REASON_NEEDS_CONFIRM, "needs-confirm")                                                   \
    X(REASON_CONFIRMED_DEAD, "confirmed-dead")                                                 \
    X(REASON_NOT_SEEN_THIS_EPOCH, "not-seen-this-epoch")                                       \
    X(REASON_MASS_FAILURE, "mass-failure")                                                     \
    X(REASON_MODE, "mode")                                                                     \
    /* what an agent reports */                                                                \
    X(REASON_DRIVER, "driver")                                                                 \
    X(REASON_IMAGE_MISSING, "image-missing")                                                   \
    X(REASON_IMAGE_CHECKSUM, "image-checksum")                                                 \
    X(REASON_TIME_OUT, "time-out")                                                             \
    X(REASON_STALE_EPOCH, "stale-epoch")                                                       \
    X(REASON_STALE_GENERATION, "stale-generation")                                             \
    X(REASON_NO_ADDRESS, "no-address")                                                         \
    X(REASON_NOT_EFFECTIVE, "not-effective")                                                   \
    X(REASON_GUEST_STOPPED, "guest-stopped")                                                   \
    X(REASON_NODE_MIXED, "node-mixed")                                                         \
    /* no CPU that the job may have ends it in time */                                         \
    X(REASON_DEADLINE_HOPELESS, "deadline-hopeless")                                           \
    X(REASON_NO_PROFILE, "no-profile")                                                         \
    /* what was measured or learnt of a service does not hold any more */                      \
    X(REASON_PROFILE_OUTDATED, "profile-outdated")                                             \
    X(REASON_DRIFT, "drift") /* changed from outside, and set right */

enum reason {
#define REASON_MEMBER(name, word) name,
    REASONS(REASON_MEMBER)
#undef REASON_MEMBER
        REASON_COUNT
};

/* The word of a reason, "unspecified" for a value out of range. */
const char *reason_word(enum reason reason);

#endif
