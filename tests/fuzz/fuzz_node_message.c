// SPDX-License-Identifier: Apache-2.0
// link: arbiter_proto
/* Bytes from the bus: messages of agents, and to them. */
#include "fuzz_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_message(&node_message_binding, data, size);
    return 0;
}
