// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/libvirt/domain_xml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/io/driver/guest_kernel.h"

struct writer {
    char *text;
    size_t length;
    size_t size;
    int code; /* the first thing that went wrong */
};

/* Text that is ours: markup and numbers. */
static void put(struct writer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct writer *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int r = vsnprintf(out->text + out->length, out->size - out->length, format, arguments);
    va_end(arguments);
    if (r < 0 || (size_t)r >= out->size - out->length) {
        out->code = -EMSGSIZE;
        out->text[out->length] = '\0';
        return;
    }
    out->length += (size_t)r;
}

/* Text that came from elsewhere. XML 1.0 has no way to write control characters. */
static void put_text(struct writer *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        switch (byte) {
        case '<': put(out, "&lt;"); break;
        case '>': put(out, "&gt;"); break;
        case '&': put(out, "&amp;"); break;
        case '\'': put(out, "&apos;"); break;
        case '"': put(out, "&quot;"); break;
        default:
            if (byte < 0x20 || byte == 0x7f) {
                out->code = -EINVAL;
                return;
            }
            put(out, "%c", byte);
            break;
        }
    }
}

static void put_attribute(struct writer *out, const char *name, const char *value)
{
    put(out, " %s='", name);
    put_text(out, value);
    put(out, "'");
}

static void put_element(struct writer *out, const char *name, const char *value)
{
    put(out, "<%s>", name);
    put_text(out, value);
    put(out, "</%s>", name);
}

static void put_mark(struct writer *out, const struct domain_plan *plan)
{
    const struct vm_order *order = &plan->call->order;
    put(out, "<metadata><arbiter:vm xmlns:arbiter='" DOMAIN_NAMESPACE "'");
    put_attribute(out, "name", order->vm);
    put_attribute(out, "node", plan->node);
    put_attribute(out, "address", plan->call->address);
    put(out, " generation='%" PRIu64 "'/></metadata>\n", order->generation);
}

/* Without this, libvirt lets no VCPU go that a machine started with. */
static void put_vcpus(struct writer *out, uint32_t vcpus)
{
    put(out, "<vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/>");
    for (uint32_t id = 1; id < vcpus; id++) {
        put(out, "<vcpu id='%" PRIu32 "' enabled='yes' hotpluggable='yes'/>", id);
    }
    put(out, "</vcpus>\n");
}

static void put_size(struct writer *out, const struct domain_plan *plan)
{
    const struct vm_order *order = &plan->call->order;
    uint64_t memory_max_kib =
        order->memory_max_kib > order->memory_kib ? order->memory_max_kib : order->memory_kib;
    uint32_t vcpus_max = order->vcpus_max > order->vcpus ? order->vcpus_max : order->vcpus;
    put(out, "<memory unit='KiB'>%" PRIu64 "</memory>", memory_max_kib);
    put(out, "<currentMemory unit='KiB'>%" PRIu64 "</currentMemory>\n", order->memory_kib);
    if (plan->kind == LIBVIRT_LXC) {
        vcpus_max = order->vcpus; /* cannot be changed there, and means nothing to the guest */
        /* libvirt starts a container with the limit of <memory>, whatever <currentMemory> says.
         */
        put(out, "<memtune><hard_limit unit='KiB'>%" PRIu64 "</hard_limit></memtune>\n",
            order->memory_kib);
    }
    put(out, "<vcpu current='%" PRIu32 "'>%" PRIu32 "</vcpu>\n", order->vcpus, vcpus_max);
    if (plan->kind == LIBVIRT_TEST || plan->kind == LIBVIRT_XEN) {
        return;
    }
    if (plan->kind == LIBVIRT_KVM) {
        put_vcpus(out, order->vcpus);
    }
    const char *global = plan->kind == LIBVIRT_LXC ? "" : "global_";
    put(out, "<cputune><shares>%" PRIu64 "</shares>", shares_of_weight(order->weight));
    put(out, "<%speriod>%d</%speriod>", global, CAP_PERIOD_US, global);
    put(out, "<%squota>%" PRId64 "</%squota></cputune>\n", global, quota_of_cap(order->cap_pct),
        global);
}

/* libvirt refuses a variable without a value. */
static void put_variable(struct writer *out, const char *name, const char *value)
{
    if (value[0] == '\0') {
        return;
    }
    put(out, "<initenv");
    put_attribute(out, "name", name);
    put(out, ">");
    put_text(out, value);
    put(out, "</initenv>");
}

/* The guest learns its address as a container would: from the environment of its init. */
static void put_container_boot(struct writer *out, const struct hypervisor_call *call)
{
    const char *init = call->order.init[0] == '\0' ? "/sbin/init" : call->order.init;
    put(out, "<os><type>exe</type>");
    put_element(out, "init", init);
    put_variable(out, "ARBITER_VM", call->order.vm);
    put_variable(out, "ARBITER_ADDRESS", call->address);
    put_variable(out, "ARBITER_GATEWAY", call->gateway);
    put(out, "<initenv name='ARBITER_PORT'>%" PRIu32 "</initenv></os>\n", call->order.port);
}

/* With a kernel of its own the guest learns its address from the command line. */
static void put_machine_boot(struct writer *out, const struct domain_plan *plan)
{
    const struct hypervisor_call *call = plan->call;
    const struct vm_order *order = &call->order;
    const char *xen_type = order->guest_type == GUEST_TYPE_PV ? "linux" : "xenpvh";
    /* Without ACPI there is no power button to press, and no VCPU can be unplugged. */
    const char *features = plan->kind == LIBVIRT_XEN ? "" : "<features><acpi/></features>\n";
    put(out, "<os><type>%s</type>", plan->kind == LIBVIRT_XEN ? xen_type : "hvm");
    if (order->kernel[0] == '\0') {
        put(out, "<boot dev='hd'/></os>\n%s", features);
        return;
    }
    put_element(out, "kernel", order->kernel);
    if (order->ramdisk[0] != '\0') {
        put_element(out, "initrd", order->ramdisk);
    }
    char line[GUEST_COMMAND_LINE_SIZE];
    guest_command_line(order, call->address, call->gateway, line);
    put_element(out, "cmdline", line);
    put(out, "</os>\n%s", features);
}

static void put_disk(struct writer *out, const struct domain_plan *plan)
{
    if (plan->kind == LIBVIRT_LXC) {
        put(out, "<filesystem type='mount'><source");
        put_attribute(out, "dir", plan->disk);
        put(out, "/><target dir='/'/></filesystem>\n<console type='pty'/>");
    } else if (plan->kind == LIBVIRT_XEN) {
        if (plan->disk[0] != '\0') {
            put(out, "<disk type='file' device='disk'><driver type='raw'/><source");
            put_attribute(out, "file", plan->disk);
            put(out, "/><target dev='xvda' bus='xen'/></disk>\n");
        }
        put(out, "<console type='pty'/>");
    } else if (plan->kind != LIBVIRT_TEST && plan->disk[0] != '\0') {
        put(out, "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source");
        put_attribute(out, "file", plan->disk);
        put(out, "/><target dev='vda' bus='virtio'/></disk>\n"
                 "<serial type='pty'/><memballoon model='virtio'/>");
    }
}

static void put_interface(struct writer *out, const struct domain_plan *plan)
{
    const struct vm_order *order = &plan->call->order;
    if (order->bridge[0] == '\0' || plan->kind == LIBVIRT_TEST) {
        return;
    }
    char mac[MAC_SIZE];
    char name[INTERFACE_NAME_SIZE];
    domain_mac(order->uuid, mac);
    domain_interface_name(order->uuid, name);
    put(out, "<interface type='bridge'><source");
    put_attribute(out, "bridge", order->bridge);
    put(out, "/><mac address='%s'/><target dev='%s'/>", mac, name);
    if (plan->kind == LIBVIRT_QEMU || plan->kind == LIBVIRT_KVM) {
        /* No <bandwidth>: where the kernel lacks a part of it, the machine would not start. */
        put(out, "<model type='virtio'/>");
    }
    put(out, "</interface>\n");
}

int domain_xml(const struct domain_plan *plan, char out[DOMAIN_XML_SIZE], struct err *err)
{
    static const char *const types[] = {
        [LIBVIRT_UNKNOWN] = "", [LIBVIRT_LXC] = "lxc",   [LIBVIRT_QEMU] = "qemu",
        [LIBVIRT_KVM] = "kvm",  [LIBVIRT_TEST] = "test", [LIBVIRT_XEN] = "xen",
    };
    struct writer writer = {.size = DOMAIN_XML_SIZE};
    writer.text = out;
    const struct vm_order *order = &plan->call->order;
    if (plan->kind == LIBVIRT_XEN && order->kernel[0] == '\0') {
        return err_set(err, -EINVAL,
                       "the image of %s names no kernel; Xen guests start with one of the host",
                       order->vm);
    }
    put(&writer, "<domain type='%s'>", types[plan->kind]);
    put_element(&writer, "name", order->vm);
    put_element(&writer, "uuid", order->uuid);
    put_mark(&writer, plan);
    put_size(&writer, plan);
    if (plan->kind == LIBVIRT_LXC) {
        put_container_boot(&writer, plan->call);
    } else if (plan->kind == LIBVIRT_TEST) {
        put(&writer, "<os><type>hvm</type></os>\n");
    } else {
        put_machine_boot(&writer, plan);
    }
    put(&writer, "<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot>"
                 "<on_crash>destroy</on_crash>\n<devices>");
    put_disk(&writer, plan);
    put_interface(&writer, plan);
    put(&writer, "</devices></domain>\n");
    if (writer.code == -EMSGSIZE) {
        return err_set(err, -EMSGSIZE, "the description of %s is longer than %d bytes",
                       order->vm, DOMAIN_XML_SIZE);
    }
    if (writer.code != 0) {
        return err_set(err, writer.code, "control characters in a text of %s", order->vm);
    }
    return 0;
}

/*
 * One attribute of a single element as libvirt's serializer writes it: " name=" and a quoted
 * value. Our values (names, addresses, numbers) never need an entity, so one in the value is
 * not ours.
 */
static int read_attribute(const char *xml, const char *name, char *out, size_t size)
{
    char pattern[32];
    (void)snprintf(pattern, sizeof(pattern), " %s=", name);
    const char *at = strstr(xml, pattern);
    if (at == NULL) {
        return -EINVAL;
    }
    at += strlen(pattern);
    char quote = *at;
    if (quote != '"' && quote != '\'') {
        return -EINVAL;
    }
    const char *end = strchr(at + 1, quote);
    if (end == NULL || (size_t)(end - at) > size) {
        return -EINVAL;
    }
    size_t length = (size_t)(end - at - 1);
    if (memchr(at + 1, '&', length) != NULL) {
        return -EINVAL;
    }
    memcpy(out, at + 1, length);
    out[length] = '\0';
    return 0;
}

int domain_mark_parse(const char *xml, struct domain_mark *out)
{
    struct domain_mark mark = {0};
    char generation[24];
    if (read_attribute(xml, "name", mark.vm, sizeof(mark.vm)) != 0 ||
        read_attribute(xml, "node", mark.node, sizeof(mark.node)) != 0 ||
        read_attribute(xml, "address", mark.address, sizeof(mark.address)) != 0 ||
        read_attribute(xml, "generation", generation, sizeof(generation)) != 0) {
        return -EINVAL;
    }
    char *end = NULL;
    errno = 0;
    mark.generation = strtoull(generation, &end, 10);
    if (errno != 0 || end == generation || *end != '\0') {
        return -EINVAL;
    }
    *out = mark;
    return 0;
}

/* The last twelve hexadecimal digits of a uuid: in random uuids 48 random bits. */
static const char *uuid_tail(const char *uuid)
{
    size_t length = strlen(uuid);
    return length >= 12 ? uuid + length - 12 : uuid;
}

void domain_interface_name(const char *uuid, char out[INTERFACE_NAME_SIZE])
{
    (void)snprintf(out, INTERFACE_NAME_SIZE, "arb%.12s", uuid_tail(uuid));
}

void domain_mac(const char *uuid, char out[MAC_SIZE])
{
    const char *tail = uuid_tail(uuid);
    (void)snprintf(out, MAC_SIZE, "52:54:00:%.2s:%.2s:%.2s", tail + 6, tail + 8, tail + 10);
}

int64_t quota_of_cap(uint32_t cap_pct)
{
    return (int64_t)cap_pct * (CAP_PERIOD_US / 100);
}

uint32_t cap_of_quota(int64_t quota_us, uint64_t period_us)
{
    if (quota_us <= 0 || period_us == 0) {
        return UINT32_MAX;
    }
    uint64_t cap_pct = ((uint64_t)quota_us * 100 + period_us / 2) / period_us;
    return cap_pct < UINT32_MAX ? (uint32_t)cap_pct : UINT32_MAX;
}

uint64_t shares_of_weight(uint32_t weight)
{
    return (uint64_t)weight * SHARES_PER_WEIGHT;
}

uint32_t weight_of_shares(uint64_t shares)
{
    uint64_t weight = (shares + SHARES_PER_WEIGHT / 2) / SHARES_PER_WEIGHT;
    return weight < UINT32_MAX ? (uint32_t)weight : UINT32_MAX;
}
