// SPDX-License-Identifier: Apache-2.0
/* What the fields of the administrator's objects must say together. */
#include <errno.h>
#include <string.h>

#include "proto/text_parts.h"

#define INTERFACE_NAME_SIZE 16 /* IFNAMSIZ of Linux */

static void check_image(const struct image *image, struct text_mistakes *mistakes)
{
    static const char *const schemes[] = {"file:///", "http://", "https://"};
    bool known = image->source[0] == '\0';
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        known = known || strncmp(image->source, schemes[i], strlen(schemes[i])) == 0;
    }
    if (!known) {
        text_mistake_add(mistakes, 0, 0, "image.source",
                         "expected file:///PATH, http://... or https://...");
    }
    bool fetched = image->format == IMAGE_FORMAT_RAW || image->format == IMAGE_FORMAT_TAR;
    if (fetched && image->source[0] == '\0') {
        text_mistake_add(mistakes, 0, 0, "image", "an image that is fetched needs source");
    }
    if (image->format == IMAGE_FORMAT_KERNEL && image->kernel[0] == '\0') {
        text_mistake_add(mistakes, 0, 0, "image", "an image of format kernel needs kernel");
    }
    if (fetched && image->sha256[0] == '\0') {
        text_mistake_add(mistakes, 0, 0, "image", "an image that is fetched needs sha256");
    }
}

static void check_storage(const struct storage *storage, struct text_mistakes *mistakes)
{
    for (uint32_t i = 0; i < storage->nodes_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(storage->nodes[i], storage->nodes[j]) == 0) {
                char path[TEXT_SIZE];
                (void)snprintf(path, sizeof path, "storage.nodes[%u]", i);
                text_mistake_add(mistakes, 0, 0, path, "\"%s\" is given twice",
                                 storage->nodes[i]);
                break;
            }
        }
    }
}

static void check_network(const struct network *network, struct text_mistakes *mistakes)
{
    if (strlen(network->bridge) >= INTERFACE_NAME_SIZE ||
        strpbrk(network->bridge, "/: ") != NULL || strcmp(network->bridge, ".") == 0 ||
        strcmp(network->bridge, "..") == 0) {
        text_mistake_add(mistakes, 0, 0, "network.bridge",
                         "expected the name of a bridge, at most %d characters",
                         INTERFACE_NAME_SIZE - 1);
    }
}

static void check_settings(const struct settings *settings, struct text_mistakes *mistakes)
{
    if (settings->settings[0] != '\0' && strcmp(settings->settings, "cluster") != 0) {
        text_mistake_add(mistakes, 0, 0, "settings.settings",
                         "there is one such object and its name is \"cluster\"");
    }
}

int object_check(const struct object *object, struct text_mistakes *mistakes)
{
    size_t before = mistakes->count;
    switch (object->kind) {
    case OBJECT_KIND_UNSPECIFIED:
        text_mistake_add(mistakes, 0, 0, "object", "of no kind");
        break;
    case OBJECT_KIND_SERVICE: service_check(&object->service, mistakes); break;
    case OBJECT_KIND_IMAGE: check_image(&object->image, mistakes); break;
    case OBJECT_KIND_STORAGE: check_storage(&object->storage, mistakes); break;
    case OBJECT_KIND_NETWORK: check_network(&object->network, mistakes); break;
    case OBJECT_KIND_SETTINGS: check_settings(&object->settings, mistakes); break;
    case OBJECT_KIND_PROFILE:
        response_time_check(&object->profile.response_time, "profile.response_time", mistakes);
        break;
    case OBJECT_KIND_VM:
    case OBJECT_KIND_NODE:
    case OBJECT_KIND_AGREEMENT: break; /* nothing beyond their fields */
    }
    return mistakes->count > before ? -EINVAL : 0;
}
