// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/saved_image.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBXL_IDENT             UINT64_C(0x4c6962786c466d74) /* "LibxlFmt" */
#define LIBXL_VERSION_STREAM    2
#define LIBXL_OPTION_BIG_ENDIAN 1
#define LIBXL_END               0
#define LIBXL_LIBXC             1

#define LIBXC_MARKER            UINT64_MAX
#define LIBXC_IDENT             UINT32_C(0x58454e46) /* "XENF" */
#define LIBXC_END               UINT32_C(0)
#define LIBXC_PAGES             UINT32_C(1)
#define LIBXC_OPTION_BIG_ENDIAN 1

#define RECORD_ALIGN 8
#define PAGE_BYTES   4096
#define PAGE_KIB     4
#define RECORDS_MAX  10000000 /* far above what any guest has */

struct libxl_header {
    uint64_t ident;
    uint32_t version;
    uint32_t options;
};

struct libxc_header {
    uint64_t marker;
    uint32_t ident;
    uint32_t version;
    uint16_t options;
    uint16_t reserved_1;
    uint32_t reserved_2;
    uint32_t guest_type; /* from here on the header of the domain */
    uint16_t page_shift;
    uint16_t reserved_3;
    uint32_t xen_major;
    uint32_t xen_minor;
};

struct record_header {
    uint32_t type;
    uint32_t length; /* of the body, which is padded to RECORD_ALIGN */
};

struct image {
    int fd;
    uint64_t at;
    uint64_t size;
    uint64_t pages;
};

static int broken(const struct image *image, const char *what, struct err *err)
{
    return err_set(err, -EBADMSG, "the image is not whole: %s at byte %" PRIu64 " of %" PRIu64,
                   what, image->at, image->size);
}

static int take(struct image *image, void *out, size_t size, struct err *err)
{
    ssize_t r = pread(image->fd, out, size, (off_t)image->at);
    if (r < 0) {
        return err_set(err, -errno, "the image cannot be read: %s", strerrordesc_np(errno));
    }
    if ((size_t)r != size) {
        return broken(image, "it ends", err);
    }
    image->at += size;
    return 0;
}

/* The next record's header; image->at is behind its body then. */
static int take_record(struct image *image, struct record_header *out, struct err *err)
{
    int rc = take(image, out, sizeof *out, err);
    uint64_t body = ((uint64_t)out->length + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
    if (rc == 0 && body > image->size - image->at) {
        return broken(image, "a record is cut off", err);
    }
    image->at += rc == 0 ? body : 0;
    return rc;
}

/* How many pages of the guest are in a record of pages whose body ends at image->at. */
static int count_pages(struct image *image, const struct record_header *record, struct err *err)
{
    struct {
        uint32_t count;
        uint32_t reserved;
    } pages;
    struct image body = *image;
    body.at -= ((uint64_t)record->length + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
    if (record->length < sizeof pages) {
        return broken(&body, "a record of pages is too short", err);
    }
    int rc = take(&body, &pages, sizeof pages, err);
    uint64_t head = sizeof pages + (uint64_t)pages.count * sizeof(uint64_t);
    if (rc == 0 && head > record->length) {
        return broken(&body, "a record of pages is too short", err);
    }
    image->pages += rc == 0 ? (record->length - head) / PAGE_BYTES : 0;
    return rc;
}

static int check_libxc(struct image *image, struct err *err)
{
    struct libxc_header header;
    int rc = take(image, &header, sizeof header, err);
    if (rc != 0) {
        return rc;
    }
    if (header.marker != LIBXC_MARKER || be32toh(header.ident) != LIBXC_IDENT ||
        (be16toh(header.options) & LIBXC_OPTION_BIG_ENDIAN) != 0) {
        return broken(image, "no memory image begins", err);
    }
    struct record_header record = {.type = UINT32_MAX};
    for (int i = 0; i < RECORDS_MAX && rc == 0 && record.type != LIBXC_END; i++) {
        rc = take_record(image, &record, err);
        if (rc == 0 && record.type == LIBXC_PAGES) {
            rc = count_pages(image, &record, err);
        }
    }
    return rc == 0 && record.type != LIBXC_END ? broken(image, "it has no end", err) : rc;
}

static int check_libxl(struct image *image, struct err *err)
{
    struct libxl_header header;
    int rc = take(image, &header, sizeof header, err);
    if (rc != 0) {
        return rc;
    }
    if (be64toh(header.ident) != LIBXL_IDENT ||
        be32toh(header.version) != LIBXL_VERSION_STREAM ||
        (be32toh(header.options) & LIBXL_OPTION_BIG_ENDIAN) != 0) {
        return broken(image, "no image of libxl begins", err);
    }
    bool has_memory = false;
    struct record_header record = {.type = UINT32_MAX};
    for (int i = 0; i < RECORDS_MAX && rc == 0 && record.type != LIBXL_END; i++) {
        rc = take_record(image, &record, err);
        if (rc == 0 && record.type == LIBXL_LIBXC) {
            has_memory = true;
            rc = check_libxc(image, err);
        }
    }
    if (rc == 0 && record.type != LIBXL_END) {
        return broken(image, "it has no end", err);
    }
    return rc == 0 && !has_memory ? broken(image, "it holds no memory", err) : rc;
}

int saved_image_check(int fd, uint64_t *pages_kib, struct err *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return err_set(err, -errno, "the image cannot be read: %s", strerrordesc_np(errno));
    }
    struct image image = {.fd = fd, .size = (uint64_t)status.st_size};
    int rc = check_libxl(&image, err);
    if (rc == 0 && lseek(fd, 0, SEEK_SET) != 0) {
        rc = err_set(err, -errno, "the image cannot be read: %s", strerrordesc_np(errno));
    }
    if (rc == 0) {
        *pages_kib = image.pages * PAGE_KIB;
    }
    return rc;
}
