// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/driver/rates_link.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_BYTES 1024
#define ANSWER_BYTES  8192
#define ANSWER_WAIT_S 5
#define BURST_BYTES   (64u * 1024u) /* a whole segment of a guest */
#define BURST_DIVISOR 10            /* or 100 ms */
#define QUEUE_DIVISOR 4             /* what waits longer than 250 ms is dropped */
#define HANDLE        0xA0000000u
#define KIND          "tbf"

struct request {
    union {
        struct nlmsghdr header;
        unsigned char bytes[MESSAGE_BYTES];
    };
};

static struct tcmsg *begin(struct request *request, uint16_t type, uint16_t flags, int index)
{
    memset(request, 0, sizeof *request);
    request->header.nlmsg_len = NLMSG_LENGTH(sizeof(struct tcmsg));
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    request->header.nlmsg_seq = 1;
    struct tcmsg *message = NLMSG_DATA(&request->header);
    message->tcm_family = AF_UNSPEC;
    message->tcm_ifindex = index;
    message->tcm_parent = TC_H_ROOT;
    return message;
}

static struct rtattr *add(struct request *request, uint16_t type, const void *data, size_t size)
{
    uint32_t at = NLMSG_ALIGN(request->header.nlmsg_len);
    struct rtattr *attribute = (void *)(request->bytes + at);
    attribute->rta_type = type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(size);
    if (size > 0) {
        memcpy(RTA_DATA(attribute), data, size);
    }
    request->header.nlmsg_len = at + (uint32_t)RTA_ALIGN(attribute->rta_len);
    return attribute;
}

static const struct rtattr *find(const void *attributes, size_t size, uint16_t type)
{
    const unsigned char *at = attributes;
    while (size >= sizeof(struct rtattr)) {
        const struct rtattr *attribute = (const void *)at;
        size_t length = RTA_ALIGN(attribute->rta_len);
        if (attribute->rta_len < sizeof *attribute || attribute->rta_len > size) {
            return NULL;
        }
        if ((attribute->rta_type & NLA_TYPE_MASK) == type) {
            return attribute;
        }
        at += length;
        size -= length < size ? length : size;
    }
    return NULL;
}

/* Sends and waits for the answer of the kernel. 0, its errno, or -EIO; *size: of the answer. */
static int talk(const struct request *request, void *answer, size_t room, size_t *size)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) {
        return -errno;
    }
    const struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    ssize_t got = send(fd, request->bytes, request->header.nlmsg_len, 0);
    got = got < 0 ? got : recv(fd, answer, room, 0);
    int code = got < 0 ? -errno : 0;
    (void)close(fd);
    const struct nlmsghdr *header = answer;
    if (code != 0) {
        return code;
    }
    if (got < 0 || !NLMSG_OK(header, (size_t)got)) {
        return -EIO;
    }
    *size = (size_t)got;
    if (header->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(header);
        return header->nlmsg_len >= NLMSG_LENGTH(sizeof *error) ? error->error : -EIO;
    }
    return 0;
}

static int index_of(const char *interface, int *index, struct err *err)
{
    *index = (int)if_nametoindex(interface);
    return *index != 0 ? 0 : err_set(err, -ENODEV, "there is no interface %s", interface);
}

static int failed(const char *interface, int code, struct err *err)
{
    const char *hint = code == -ENOENT ? " (is the kernel module sch_tbf there?)" : "";
    return err_set(err, code, "the rate of %s cannot be set: %s%s", interface,
                   strerrordesc_np(-code), hint);
}

static int set_bucket(const char *interface, int index, uint64_t kib_s, struct err *err)
{
    struct request request;
    union {
        struct nlmsghdr header;
        unsigned char bytes[ANSWER_BYTES];
    } answer;
    size_t size = 0;
    uint32_t rate = (uint32_t)(kib_s * 1024);
    uint32_t burst = rate / BURST_DIVISOR > BURST_BYTES ? rate / BURST_DIVISOR : BURST_BYTES;
    struct tc_tbf_qopt options = {
        .rate = {.rate = rate, .linklayer = TC_LINKLAYER_ETHERNET},
        .limit = rate / QUEUE_DIVISOR + burst,
    };
    begin(&request, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, index)->tcm_handle =
        HANDLE;
    (void)add(&request, TCA_KIND, KIND, sizeof KIND);
    struct rtattr *nest = add(&request, TCA_OPTIONS, NULL, 0);
    (void)add(&request, TCA_TBF_PARMS, &options, sizeof options);
    (void)add(&request, TCA_TBF_BURST, &burst, sizeof burst);
    nest->rta_len =
        (uint16_t)(request.bytes + request.header.nlmsg_len - (unsigned char *)nest);
    int rc = talk(&request, &answer, sizeof answer, &size);
    return rc == 0 ? 0 : failed(interface, rc, err);
}

static int remove_bucket(const char *interface, int index, struct err *err)
{
    struct request request;
    union {
        struct nlmsghdr header;
        unsigned char bytes[ANSWER_BYTES];
    } answer;
    size_t size = 0;
    (void)begin(&request, RTM_DELQDISC, NLM_F_ACK, index);
    int rc = talk(&request, &answer, sizeof answer, &size);
    return rc == 0 || rc == -ENOENT ? 0 : failed(interface, rc, err);
}

int rates_link_get(const char *interface, uint64_t *kib_s, struct err *err)
{
    struct request request;
    union {
        struct nlmsghdr header;
        unsigned char bytes[ANSWER_BYTES];
    } answer = {.header = {0}};
    size_t size = 0;
    int index = 0;
    *kib_s = 0;
    int rc = index_of(interface, &index, err);
    if (rc != 0) {
        return rc;
    }
    /* Nothing is answered for what an interface has by itself, so the end is asked for too. */
    (void)begin(&request, RTM_GETQDISC, NLM_F_ECHO | NLM_F_ACK, index);
    rc = talk(&request, &answer, sizeof answer, &size);
    if (rc == -ENOENT || (rc == 0 && answer.header.nlmsg_type == NLMSG_ERROR)) {
        return 0;
    }
    if (rc != 0 || answer.header.nlmsg_type != RTM_NEWQDISC ||
        size < NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct tcmsg)))) {
        return err_set(err, rc != 0 ? rc : -EIO, "the rate of %s cannot be read", interface);
    }
    const struct tcmsg *message = NLMSG_DATA(&answer.header);
    const unsigned char *first = answer.bytes + NLMSG_LENGTH(NLMSG_ALIGN(sizeof *message));
    size_t left = size - (size_t)(first - answer.bytes);
    const struct rtattr *kind = find(first, left, TCA_KIND);
    const struct rtattr *options = find(first, left, TCA_OPTIONS);
    if (message->tcm_handle != HANDLE || kind == NULL || options == NULL ||
        strncmp(RTA_DATA(kind), KIND, RTA_PAYLOAD(kind)) != 0) {
        return 0; /* somebody else's */
    }
    const struct rtattr *parameters =
        find(RTA_DATA(options), RTA_PAYLOAD(options), TCA_TBF_PARMS);
    if (parameters != NULL && RTA_PAYLOAD(parameters) >= sizeof(struct tc_tbf_qopt)) {
        struct tc_tbf_qopt values;
        memcpy(&values, RTA_DATA(parameters), sizeof values);
        *kib_s = values.rate.rate / 1024;
    }
    return 0;
}

int rates_link_set(const char *interface, uint64_t kib_s, struct err *err)
{
    int index = 0;
    uint64_t present = 0;
    int rc = index_of(interface, &index, err);
    if (rc != 0) {
        return rc;
    }
    if (kib_s > RATES_LINK_KIB_S_MAX) {
        return err_set(err, -EINVAL, "%llu KiB/s is more than a token bucket holds (%u)",
                       (unsigned long long)kib_s, RATES_LINK_KIB_S_MAX);
    }
    if (kib_s != 0) {
        return set_bucket(interface, index, kib_s, err);
    }
    rc = rates_link_get(interface, &present, err);
    return rc == 0 && present != 0 ? remove_bucket(interface, index, err) : rc;
}
