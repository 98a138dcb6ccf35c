// SPDX-License-Identifier: Apache-2.0
/* Module image_transfer: libcurl gets, libcrypto sums. */
#include "node-agent/io/image_transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/io/scope.h"

#define CONNECT_LIMIT_S 10L
#define SLOW_BYTES_S    1024L /* slower than that for so long: given up */
#define SLOW_LIMIT_S    30L
#define SUM_BYTES       32
#define READ_BYTES      (16u << 10)

struct stopper {
    bool (*stop)(void *context);
    void *context;
};

/* Called by curl about once a second. */
static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    const struct stopper *stopper = context;
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    return stopper->stop(stopper->context) ? 1 : 0;
}

static void set_options(CURL *curl, const char *source, uint64_t kib_max, FILE *file)
{
    /* Constants of known types: only no memory could make one fail, and then the transfer does.
     */
    (void)curl_easy_setopt(curl, CURLOPT_URL, source);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "file,http,https");
    (void)curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    (void)curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_LIMIT_S);
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES_S);
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SLOW_LIMIT_S);
    (void)curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)(kib_max * 1024));
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, file);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
}

static int get(const char *source, const char *path, uint64_t kib_max,
               bool (*stop)(void *context), void *context, struct err *err)
{
    struct stopper stopper = {stop, context};
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return err_set(err, -errno, "%s: %s", path, strerrordesc_np(errno));
    }
    CURL *curl = curl_easy_init();
    CURLcode code = CURLE_FAILED_INIT;
    if (curl != NULL) {
        set_options(curl, source, kib_max, file);
        (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &stopper);
        code = curl_easy_perform(curl);
        curl_easy_cleanup(curl);
    }
    bool stored = fflush(file) == 0 && fsync(fileno(file)) == 0;
    stored = fclose(file) == 0 && stored;
    if (code != CURLE_OK) {
        return err_set(err, -ENOENT, "%s: %s", source, curl_easy_strerror(code));
    }
    return stored ? 0 : err_set(err, -EIO, "%s cannot be stored", path);
}

static void scope_digest(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

static int sum_file(const char *path, char out[SHA256_SIZE], struct err *err)
{
    SCOPE_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, -errno, "%s: %s", path, strerrordesc_np(errno));
    }
    unsigned char buffer[READ_BYTES];
    __attribute__((cleanup(scope_digest))) EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        return err_set(err, -ENOMEM, "no memory for a checksum");
    }
    ssize_t got = 0;
    while ((got = read(fd, buffer, READ_BYTES)) > 0) {
        if (EVP_DigestUpdate(context, buffer, (size_t)got) != 1) {
            return err_set(err, -EIO, "%s: no checksum", path);
        }
    }
    if (got < 0) {
        return err_set(err, -errno, "%s: %s", path, strerrordesc_np(errno));
    }
    unsigned char sum[SUM_BYTES];
    if (EVP_DigestFinal_ex(context, sum, NULL) != 1) {
        return err_set(err, -EIO, "%s: no checksum", path);
    }
    for (size_t i = 0; i < SUM_BYTES; i++) {
        static const char digits[] = "0123456789abcdef";
        out[2 * i] = digits[sum[i] >> 4];
        out[2 * i + 1] = digits[sum[i] & 15];
    }
    out[SHA256_SIZE - 1] = '\0';
    return 0;
}

const struct image_transfer image_transfer_entry = {
    .abi = IMAGE_TRANSFER_ABI,
    .size = sizeof(struct image_transfer),
    .get = get,
    .sum = sum_file,
};
