// SPDX-License-Identifier: Apache-2.0
/* Whole and broken images of guests, built record by record. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "node-agent/io/xen/saved_image.c"

#define IMAGE_SIZE_MAX 65536

struct bytes {
    uint8_t data[IMAGE_SIZE_MAX];
    size_t size;
};

static void put(struct bytes *out, const void *data, size_t size)
{
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

static void put_record(struct bytes *out, uint32_t type, uint32_t length)
{
    struct record_header header = {.type = type, .length = length};
    put(out, &header, sizeof header);
    out->size += (length + 7) / 8 * 8;
}

static void put_pages(struct bytes *out, uint32_t count, uint32_t with_data)
{
    size_t at = out->size + sizeof(struct record_header);
    put_record(out, LIBXC_PAGES, 8 + 8 * count + with_data * PAGE_BYTES);
    memcpy(out->data + at, &count, sizeof count);
}

/* As libxl 4.17 writes it for a guest without device model: 5 pages, 2 of them without data. */
static struct bytes *whole_image(void)
{
    struct bytes *out = calloc(1, sizeof *out);
    struct libxl_header libxl = {.ident = htobe64(LIBXL_IDENT), .version = htobe32(2)};
    struct libxc_header libxc = {
        .marker = LIBXC_MARKER, .ident = htobe32(LIBXC_IDENT), .version = htobe32(3)};
    put(out, &libxl, sizeof libxl);
    put_record(out, LIBXL_LIBXC, 0);
    put(out, &libxc, sizeof libxc);
    put_record(out, 4, 12); /* some record of libxc, padded */
    put_pages(out, 5, 3);
    put_pages(out, 2, 2);
    put_record(out, LIBXC_END, 0);
    put_record(out, 2, 40);
    put_record(out, LIBXL_END, 0);
    return out;
}

static int check(const struct bytes *image, size_t size, uint64_t *pages_kib, struct err *err)
{
    FILE *file = tmpfile();
    cr_assert(file != NULL);
    cr_assert_eq(fwrite(image->data, 1, size, file), size);
    cr_assert_eq(fflush(file), 0);
    int rc = saved_image_check(fileno(file), pages_kib, err);
    cr_assert(rc != 0 || lseek(fileno(file), 0, SEEK_CUR) == 0, "it stands at the start");
    (void)fclose(file);
    return rc;
}

Test(saved_image, that_is_whole_tells_its_memory)
{
    struct bytes *image = whole_image();
    uint64_t pages_kib = 0;
    struct err err = {0};
    cr_assert_eq(check(image, image->size, &pages_kib, &err), 0, "%s", err.text);
    cr_assert_eq(pages_kib, 5u * 4);
    free(image);
}

Test(saved_image, cut_off_anywhere_is_not_whole)
{
    struct bytes *image = whole_image();
    for (size_t size = 0; size < image->size; size += size < 256 ? 1 : 97) {
        uint64_t pages_kib = 77;
        struct err err = {0};
        cr_assert_eq(check(image, size, &pages_kib, &err), -EBADMSG, "%zu bytes", size);
        cr_assert_eq(pages_kib, 77u, "nothing is told about what is broken");
        cr_assert(strstr(err.text, "not whole") != NULL);
    }
    free(image);
}

Test(saved_image, of_something_else_is_refused)
{
    struct bytes *image = whole_image();
    uint64_t pages_kib = 0;
    image->data[0] ^= 1;
    cr_assert_eq(check(image, image->size, &pages_kib, NULL), -EBADMSG);
    image->data[0] ^= 1;
    image->data[sizeof(struct libxl_header) + sizeof(struct record_header)] = 0;
    cr_assert_eq(check(image, image->size, &pages_kib, NULL), -EBADMSG);
    free(image);
}

Test(saved_image, with_more_pages_than_bytes_is_refused)
{
    struct bytes *image = whole_image();
    uint64_t pages_kib = 0;
    uint32_t many = UINT32_MAX;
    size_t pages = sizeof(struct libxl_header) + 2 * sizeof(struct record_header) +
                   sizeof(struct libxc_header) + 16 + sizeof(struct record_header);
    memcpy(image->data + pages, &many, sizeof many);
    cr_assert_eq(check(image, image->size, &pages_kib, NULL), -EBADMSG);
    free(image);
}
