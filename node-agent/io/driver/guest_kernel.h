// SPDX-License-Identifier: Apache-2.0
/* What a guest with a kernel of the host is told on its command line. */
#ifndef NODE_AGENT_IO_DRIVER_GUEST_KERNEL_H
#define NODE_AGENT_IO_DRIVER_GUEST_KERNEL_H

#include "common/model/vm.h"

#define GUEST_COMMAND_LINE_SIZE 1024

/* The image's command line, and behind it who the guest is. address: with its prefix; empty,
 * as gateway may be: none. */
void guest_command_line(const struct vm_order *order, const char *address, const char *gateway,
                        char out[GUEST_COMMAND_LINE_SIZE]);

#endif
