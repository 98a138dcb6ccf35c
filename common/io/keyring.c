// SPDX-License-Identifier: Apache-2.0
/* The table of principals: a hash table that is replaced whole, and never changed once visible.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "common/io/keyring_file.h"
#include "common/io/keyring_view.h"
#include "common/io/keys.h"
#include "common/io/scope.h"

#define KEY_TEXT_LENGTH (KEY_TEXT_SIZE - 1)

struct keyring_view {
    atomic_uint references;
    uint64_t version;
    size_t count;
    size_t slots_mask;
    struct principal *principals;
    uint32_t *slots; /* index of a principal plus 1; 0: free */
};

struct keyring {
    pthread_mutex_t *lock; /* for taking and replacing the view, not for reading it */
    struct keyring_view *view;
    atomic_uint_fast64_t version;
};

/* Public keys are random already: their first characters are the hash. */
static size_t hash(const char *public_text)
{
    uint64_t bits = 0;
    memcpy(&bits, public_text, sizeof bits);
    return (size_t)((bits * 0x9E3779B97F4A7C15u) >> 32);
}

static size_t find_slot(const struct keyring_view *view, const char *public_text)
{
    size_t slot = hash(public_text) & view->slots_mask;
    while (view->slots[slot] != 0) {
        const struct principal *there = &view->principals[view->slots[slot] - 1];
        if (memcmp(there->public_text, public_text, KEY_TEXT_LENGTH) == 0) {
            break;
        }
        slot = (slot + 1) & view->slots_mask;
    }
    return slot;
}

static void view_free(struct keyring_view *view)
{
    if (view != NULL) {
        free(view->principals);
        free(view->slots);
        free(view);
    }
}

/* The caller has checked that no key is in the list twice. */
static struct keyring_view *view_make(const struct principal *list, size_t count)
{
    size_t slots = 16;
    while (slots < count * 2) {
        slots *= 2;
    }
    struct keyring_view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        return NULL;
    }
    view->principals = calloc(count + 1, sizeof *view->principals);
    view->slots = calloc(slots, sizeof *view->slots);
    if (view->principals == NULL || view->slots == NULL) {
        view_free(view);
        return NULL;
    }
    atomic_init(&view->references, 1);
    view->slots_mask = slots - 1;
    for (size_t i = 0; i < count; i++) {
        view->principals[i] = list[i];
        view->slots[find_slot(view, list[i].public_text)] = (uint32_t)i + 1;
        view->count = i + 1;
    }
    return view;
}

struct keyring *keyring_create(void)
{
    struct keyring *keyring = calloc(1, sizeof *keyring);
    if (keyring == NULL) {
        return NULL;
    }
    keyring->view = view_make(NULL, 0);
    keyring->lock = calloc(1, sizeof *keyring->lock);
    if (keyring->view == NULL || keyring->lock == NULL ||
        pthread_mutex_init(keyring->lock, NULL) != 0) {
        view_free(keyring->view);
        free(keyring->lock);
        free(keyring);
        return NULL;
    }
    keyring->view->version = 1;
    atomic_init(&keyring->version, 1);
    return keyring;
}

void keyring_destroy(struct keyring *keyring)
{
    if (keyring != NULL) {
        keyring_view_drop(keyring->view);
        (void)pthread_mutex_destroy(keyring->lock);
        free(keyring->lock);
        free(keyring);
    }
}

uint64_t keyring_version(const struct keyring *keyring)
{
    return atomic_load_explicit(&keyring->version, memory_order_acquire);
}

struct keyring_view *keyring_view_take(const struct keyring *keyring)
{
    (void)pthread_mutex_lock(keyring->lock); /* cannot fail: a plain mutex, never held twice */
    struct keyring_view *view = keyring->view;
    (void)atomic_fetch_add(&view->references, 1);
    (void)pthread_mutex_unlock(keyring->lock);
    return view;
}

void keyring_view_drop(struct keyring_view *view)
{
    if (view != NULL && atomic_fetch_sub(&view->references, 1) == 1) {
        view_free(view);
    }
}

uint64_t keyring_view_version(const struct keyring_view *view)
{
    return view->version;
}

const struct principal *keyring_view_find(const struct keyring_view *view,
                                          const char *public_text)
{
    if (strnlen(public_text, KEY_TEXT_SIZE) != KEY_TEXT_LENGTH) {
        return NULL;
    }
    uint32_t index = view->slots[find_slot(view, public_text)];
    return index != 0 ? &view->principals[index - 1] : NULL;
}

/* Lock held. Takes the new view. */
static struct keyring_view *swap(struct keyring *keyring, struct keyring_view *next)
{
    struct keyring_view *old = keyring->view;
    next->version = old->version + 1;
    keyring->view = next;
    atomic_store_explicit(&keyring->version, next->version, memory_order_release);
    return old;
}

int keyring_load(struct keyring *keyring, const char *path, struct err *err)
{
    SCOPE_FREE struct principal *list = NULL;
    size_t count = 0;
    int rc = keyring_file_read(path, &list, &count, err);
    if (rc != 0) {
        return rc;
    }
    struct keyring_view *next = view_make(list, count);
    if (next == NULL) {
        return err_set(err, -ENOMEM, "%s: out of memory", path);
    }
    (void)pthread_mutex_lock(keyring->lock);
    struct keyring_view *old = swap(keyring, next);
    (void)pthread_mutex_unlock(keyring->lock);
    keyring_view_drop(old);
    return 0;
}

/* The table of a view and one more. NULL: no memory. */
static struct keyring_view *view_with(const struct keyring_view *view,
                                      const struct principal *principal)
{
    assert(view->principals != NULL); /* also of an empty table */
    struct principal *list = calloc(view->count + 1, sizeof *list);
    if (list == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < view->count; i++) {
        list[i] = view->principals[i];
    }
    list[view->count] = *principal;
    struct keyring_view *next = view_make(list, view->count + 1);
    free(list);
    return next;
}

/* Lock held. */
static int add_locked(struct keyring *keyring, const struct principal *principal,
                      struct keyring_view **old, struct err *err)
{
    const struct keyring_view *view = keyring->view;
    if (view->count >= KEYRING_PRINCIPALS_MAX) {
        return err_set(err, -ENOSPC, "a keyring holds at most %d keys", KEYRING_PRINCIPALS_MAX);
    }
    if (keyring_view_find(view, principal->public_text) != NULL) {
        return err_set(err, -EEXIST, "this public key is in the keyring already");
    }
    struct keyring_view *next = view_with(view, principal);
    if (next == NULL) {
        return err_set(err, -ENOMEM, "out of memory");
    }
    *old = swap(keyring, next);
    return 0;
}

int keyring_add(struct keyring *keyring, const struct principal *principal, struct err *err)
{
    int rc = principal_check(principal, err);
    if (rc != 0) {
        return rc;
    }
    struct keyring_view *old = NULL;
    (void)pthread_mutex_lock(keyring->lock);
    rc = add_locked(keyring, principal, &old, err);
    (void)pthread_mutex_unlock(keyring->lock);
    keyring_view_drop(old);
    return rc;
}

int keyring_find(const struct keyring *keyring, const char *public_text, struct principal *out)
{
    struct keyring_view *view = keyring_view_take(keyring);
    const struct principal *found = keyring_view_find(view, public_text);
    if (found != NULL) {
        *out = *found;
    }
    keyring_view_drop(view);
    return found != NULL ? 0 : -ENOENT;
}
