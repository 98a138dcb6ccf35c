// SPDX-License-Identifier: Apache-2.0
// link: arbiter_proto
/* Bytes from the socket of scheduler programs. */
#include "fuzz_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_message(&scheduler_message_binding, data, size);
    return 0;
}
