// SPDX-License-Identifier: Apache-2.0
// link: arbiter_agent_core
/*
 * What the xen driver finds on a host, without Xen; the first byte says which: 'i' a file that
 * is to be a saved guest, 'm' the mark of a domain. A mark that is read can be written, and
 * reads as the same.
 */
#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "node-agent/io/xen/domain_mark.c"
#include "node-agent/io/xen/saved_image.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX 4096

static void read_image(const uint8_t *data, size_t size)
{
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        assert(fd >= 0);
    }
    struct err err = {0};
    uint64_t pages_kib = 0;
    assert(ftruncate(fd, 0) == 0);
    assert(pwrite(fd, data, size, 0) == (ssize_t)size);
    const int rc = saved_image_check(fd, &pages_kib, &err);
    assert(rc == 0 || (rc == -EBADMSG && err.text[0] != '\0'));
    assert(pages_kib <= size / 1024); /* a page is not smaller than it says */
}

static void read_mark(const char *text)
{
    struct domain_mark mark = {0};
    struct domain_mark again = {0};
    char line[DOMAIN_MARK_SIZE];
    if (domain_mark_parse(text, &mark) != 0) {
        return;
    }
    assert(domain_mark_format(&mark, line) == 0);
    assert(domain_mark_parse(line, &again) == 0);
    assert(mark.made == again.made && mark.generation == again.generation);
    assert(strcmp(mark.node, again.node) == 0 && strcmp(mark.vm, again.vm) == 0);
    assert(strcmp(mark.address, again.address) == 0);
    assert(strcmp(mark.gateway, again.gateway) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] == 'i') {
        read_image(data + 1, size - 1);
        return 0;
    }
    char text[TEXT_MAX] = "";
    memcpy(text, data + 1, size - 1 < sizeof text ? size - 1 : sizeof text - 1);
    if (data[0] == 'm') {
        read_mark(text);
    }
    return 0;
}
