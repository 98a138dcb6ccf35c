// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes to plain data and back, for everything that crosses a socket or the store. Decoding is
 * the gate: a budgeted allocator bounds memory (8 times the input and 4 KiB, at most 1 MiB per
 * message; a snapshot of the largest node needs a fifth of that), then every field is checked
 * (ranges, known enum values, 0 of an enum refused where one is needed, UTF-8 without NUL or
 * control characters, counts, string lengths). On an error the output is untouched and err
 * names the field. One table per message drives encoding, decoding, checking and the text form
 * (bindings.h).
 *
 * What fields say together (cpu.min above cpu.max) is not checked here: object_check() in
 * text.h.
 *
 * Decoding returns -EBADMSG, -EMSGSIZE, -EPROTONOSUPPORT (min_version is above ours) or
 * -ENOMEM. NAN crosses the wire as NaN where a number may be unknown; elsewhere it is refused,
 * and infinity always is. Encoding completes a header whose version is 0, and repairs texts for
 * people (a line of a hypervisor that is not UTF-8, a text cut inside a character) with '?',
 * because a report must not get lost for that; everything else that decoding would refuse it
 * refuses.
 */
#ifndef PROTO_CODEC_H
#define PROTO_CODEC_H

#include <stddef.h>

#include "common/err.h"
#include "common/message/client_message.h"
#include "common/message/node_message.h"
#include "common/message/scheduler_message.h"
#include "common/message/stored_record.h"

#define CODEC_MESSAGE_BYTES_MAX (1u << 20)

/* Growing byte buffer, reused; owned by the caller. */
struct bytes {
    unsigned char *data;
    size_t size;
    size_t capacity;
};
void bytes_finish(struct bytes *bytes);
int bytes_append(struct bytes *bytes, const void *data, size_t size); /* 0 or -ENOMEM */

/* Each encoder replaces the content of out. 0, -ENOMEM, -EMSGSIZE, or -EINVAL for data that
 * decoding refuses. */
int codec_encode_node_message(const struct node_message *message, struct bytes *out,
                              struct err *err);
int codec_decode_node_message(const void *data, size_t size, struct node_message *out,
                              struct err *err);

int codec_encode_request(const struct request *request, struct bytes *out, struct err *err);
int codec_decode_request(const void *data, size_t size, struct request *out, struct err *err);
/* FNV-1a of the request without header and request id: what "same content" means. */
uint64_t codec_request_hash(const struct request *request);

int codec_encode_reply(const struct reply *reply, struct bytes *out, struct err *err);
/* Adds one item behind an encoded reply, or behind other items that are put behind one later.
 */
int codec_append_item(struct bytes *reply, const struct item *item, struct err *err);
/* Items are handed to take() one by one (may be NULL), in order. */
int codec_decode_reply(const void *data, size_t size, struct reply *out,
                       void (*take)(void *context, const struct item *item), void *context,
                       struct err *err);

/* On the live event socket: an event_record with a header. */
int codec_encode_event(const struct header *header, const struct event_record *event,
                       struct bytes *out, struct err *err);
int codec_decode_event(const void *data, size_t size, struct header *header,
                       struct event_record *out, struct err *err);

int codec_encode_record(const struct stored_record *record, struct bytes *out, struct err *err);
int codec_decode_record(const void *data, size_t size, struct stored_record *out,
                        struct err *err);

int codec_encode_scheduler_message(const struct scheduler_message *message, struct bytes *out,
                                   struct err *err);
int codec_decode_scheduler_message(const void *data, size_t size, struct scheduler_message *out,
                                   struct err *err);

#endif
