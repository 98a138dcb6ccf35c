// SPDX-License-Identifier: Apache-2.0
#include "common/io/keys.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <zmq.h>

#include "common/io/file.h"
#include "common/io/scope.h"

#define KEY_FILE_BYTES_MAX 4096
#define BLANKS             " \t\r"

static bool is_key_text(const char *text)
{
    uint8_t bytes[32];
    return strnlen(text, KEY_TEXT_SIZE) == KEY_TEXT_SIZE - 1 &&
           zmq_z85_decode(bytes, text) != NULL;
}

int key_public_check(const char *text, struct err *err)
{
    if (!is_key_text(text)) {
        return err_set(err, -EINVAL, "a public key is 40 characters of Z85, got \"%.60s\"",
                       text);
    }
    return 0;
}

int key_pair_generate(struct key_pair *out, struct err *err)
{
    if (zmq_curve_keypair(out->public_text, out->secret_text) != 0) {
        return err_set(err, -ENOTSUP, "cannot make a key: libzmq has no CURVE");
    }
    return 0;
}

int key_pair_write(const char *path, const struct key_pair *pair, struct err *err)
{
    char text[256];
    int length = snprintf(text, sizeof text,
                          "# Arbiter key pair. Whoever has this file is its principal.\n"
                          "public %s\nsecret %s\n",
                          pair->public_text, pair->secret_text);
    int rc = file_create(path, text, (size_t)length, 0600, err);
    explicit_bzero(text, sizeof text);
    return rc;
}

int key_public_write(const char *path, const char *public_text, struct err *err)
{
    char text[128];
    int length = snprintf(text, sizeof text, "public %s\n", public_text);
    return file_create(path, text, (size_t)length, 0644, err);
}

/* Lines are "public KEY", "secret KEY" or a bare public key. Changes the text. */
static int parse(const char *path, char *text, struct key_pair *out, struct err *err)
{
    char *rest = text;
    int number = 0;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        number++;
        line += strspn(line, BLANKS);
        line[strcspn(line, "\r")] = '\0';
        if (*line == '\0' || (*line == '#' && !is_key_text(line))) {
            continue;
        }
        char *place = out->public_text;
        const char *value = line;
        if (strncmp(line, "public ", 7) == 0 || strncmp(line, "secret ", 7) == 0) {
            place = *line == 'p' ? out->public_text : out->secret_text;
            value = line + 7;
        }
        /* The line itself is not shown: it may hold a secret. */
        if (!is_key_text(value)) {
            return err_set(err, -EINVAL, "%s:%d: expected \"public KEY\" or \"secret KEY\"",
                           path, number);
        }
        if (*place != '\0') {
            return err_set(err, -EINVAL, "%s:%d: a second key; a file holds one pair", path,
                           number);
        }
        memcpy(place, value, KEY_TEXT_SIZE);
    }
    return 0;
}

static int read_key_file(const char *path, struct key_pair *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    char *text = NULL;
    size_t size = 0;
    int rc = file_read(path, KEY_FILE_BYTES_MAX, &text, &size, err);
    if (rc != 0) {
        return rc;
    }
    rc = parse(path, text, out, err);
    explicit_bzero(text, size);
    free(text);
    return rc;
}

static int check_private(const char *path, struct err *err)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        int code = -errno;
        return err_set(err, code, "%s: cannot open: %s", path, strerrordesc_np(-code));
    }
    if ((status.st_mode & 077) != 0) {
        return err_set(err, -EACCES,
                       "%s: others may read this secret key (mode %04o); run: chmod 600 %s",
                       path, (unsigned)status.st_mode & 07777, path);
    }
    return 0;
}

int key_pair_read(const char *path, struct key_pair *out, struct err *err)
{
    int rc = check_private(path, err);
    struct key_pair pair;
    if (rc == 0) {
        rc = read_key_file(path, &pair, err);
    }
    if (rc != 0) {
        return rc;
    }
    char expected[KEY_TEXT_SIZE] = "";
    if (pair.secret_text[0] == '\0') {
        rc = err_set(err, -EINVAL, "%s: holds no secret key", path);
    } else if (zmq_curve_public(expected, pair.secret_text) != 0 ||
               strcmp(expected, pair.public_text) != 0) {
        rc = err_set(err, -EINVAL, "%s: public and secret key do not belong together", path);
    } else {
        *out = pair;
    }
    explicit_bzero(&pair, sizeof pair);
    return rc;
}

int key_public_read(const char *path, char out[KEY_TEXT_SIZE], struct err *err)
{
    struct key_pair pair;
    int rc = read_key_file(path, &pair, err);
    if (rc == 0 && pair.public_text[0] == '\0') {
        rc = err_set(err, -EINVAL, "%s: holds no public key", path);
    }
    if (rc == 0) {
        memcpy(out, pair.public_text, KEY_TEXT_SIZE);
    }
    explicit_bzero(&pair, sizeof pair);
    return rc;
}
