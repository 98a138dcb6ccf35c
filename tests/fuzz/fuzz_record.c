// SPDX-License-Identifier: Apache-2.0
// link: arbiter_proto
/* Bytes from a row of the store. */
#include "fuzz_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_message(&stored_record_binding, data, size);
    return 0;
}
