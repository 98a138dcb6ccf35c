// SPDX-License-Identifier: Apache-2.0
/*
 * CURVE keys and who they belong to. A key file holds one pair, mode 0600 (checked). The
 * keyring is the table of principals: a text file with one line each, "name role public-key"
 * (Z85), comments with '#'; two lines with the same name are two valid keys of one principal
 * (rotation).
 */
#ifndef COMMON_IO_KEYS_H
#define COMMON_IO_KEYS_H

#include <stddef.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/message/client_message.h" /* enum role */

#define KEY_TEXT_SIZE 41 /* Z85 of 32 bytes, and NUL */

struct key_pair {
    char public_text[KEY_TEXT_SIZE];
    char secret_text[KEY_TEXT_SIZE];
};

struct principal {
    char name[NAME_SIZE];
    enum role role;
    char public_text[KEY_TEXT_SIZE];
};

int key_pair_generate(struct key_pair *out, struct err *err);
/* The file is made with mode 0600 and never overwritten (-EEXIST). */
int key_pair_write(const char *path, const struct key_pair *pair, struct err *err);
/* -EACCES when others may read it; the text says what to do. */
int key_pair_read(const char *path, struct key_pair *out, struct err *err);
/* The public key alone, from a key file or a *.pub file. */
int key_public_read(const char *path, char out[KEY_TEXT_SIZE], struct err *err);
/* The file that is handed out, mode 0644; never overwritten (-EEXIST). */
int key_public_write(const char *path, const char *public_text, struct err *err);
/* Is it the Z85 text of a public key? 0 or -EINVAL. */
int key_public_check(const char *text, struct err *err);

struct keyring; /* thread-safe: readers never see half a table */

struct keyring *keyring_create(void);
void keyring_destroy(struct keyring *keyring);
/* Replaces the whole table at once; on error the old one stays. */
int keyring_load(struct keyring *keyring, const char *path, struct err *err);
int keyring_add(struct keyring *keyring, const struct principal *principal, struct err *err);
/* Copies the principal of a public key; 0 or -ENOENT. */
int keyring_find(const struct keyring *keyring, const char *public_text, struct principal *out);
/* Adds a line to a keyring file, atomically. -EEXIST when the key is there already. */
int keyring_file_enrol(const char *path, const struct principal *principal, struct err *err);
int keyring_file_revoke(const char *path, const char *name, struct err *err);

const char *role_word(enum role role);
enum role role_from_word(const char *word); /* ROLE_UNSPECIFIED when there is none */

#endif
