// SPDX-License-Identifier: Apache-2.0
// link: arbiter_proto
/* Bytes from the API socket: requests of clients. */
#include "fuzz_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_message(&request_binding, data, size);
    return 0;
}
