// SPDX-License-Identifier: Apache-2.0
#include "common/model/object.h"

const char *object_name(const struct object *object)
{
    switch (object->kind) {
    case OBJECT_KIND_UNSPECIFIED: return "";
    case OBJECT_KIND_SERVICE: return object->service.service;
    case OBJECT_KIND_VM: return object->vm.vm;
    case OBJECT_KIND_NODE: return object->node.node;
    case OBJECT_KIND_IMAGE: return object->image.image;
    case OBJECT_KIND_STORAGE: return object->storage.storage;
    case OBJECT_KIND_NETWORK: return object->network.network;
    case OBJECT_KIND_AGREEMENT: return object->agreement.agreement;
    case OBJECT_KIND_SETTINGS: return object->settings.settings;
    case OBJECT_KIND_PROFILE: return object->profile.profile;
    }
    return "";
}
