// SPDX-License-Identifier: Apache-2.0
/* The keys of xl.cfg that have no place in Arbiter: what they would mean. After xl.cfg(5) of
 * Xen 4.17, and what older files for xm still hold. */
#include <string.h>

#include "common/closest_word.h"
#include "orchestrator/client/xl_guest.h"

#define HVM     "only HVM guests have it; nothing is lost"
#define XM      "a key of xm; xl does not read it either"
#define DEVICE  "the guest will not have this device"
#define HOST_ON "Arbiter's agent does that itself; nothing is lost"
#define TUNING  "Xen's default is used instead"

struct known_key {
    const char *name;
    const char *meaning;
};

static const struct known_key keys[] = {
    {"uuid", "every VM gets a new one"},
    {"init_seclabel", "XSM labels are not kept"},
    {"seclabel", "XSM labels are not kept"},
    {"device_model_stubdomain_seclabel", HVM},
    {"pool", "Arbiter leaves cpupools alone: the guest runs in the default one"},
    {"cpus", "VCPUs are not pinned: Xen's scheduler places them"},
    {"cpus_soft", "VCPUs are not pinned: Xen's scheduler places them"},
    {"cpu_weight", "weights follow from levels; \"objective.weight\" says how much it counts"},
    {"maxvcpus", "the agent allows as many as \"vcpus\" says"},
    {"maxmem", "the guest gets what \"memory\" says, no more"},
    {"nodes", TUNING},
    {"vnuma", TUNING},
    {"numa_placement", TUNING},
    {"tsc_mode", "set \"driver: xen:tsc_mode=...\" in the agent's settings"},
    {"timer_mode", HVM},
    {"on_poweroff", HOST_ON},
    {"on_reboot", HOST_ON},
    {"on_crash", HOST_ON},
    {"on_watchdog", HOST_ON},
    {"on_soft_reset", HOST_ON},
    {"on_xend_start", XM},
    {"on_xend_stop", XM},
    {"localtime", "the guest's clock is UTC"},
    {"rtc_timeoffset", HVM},
    {"device_tree", TUNING},
    {"passthrough", DEVICE},
    {"pci", "PCI devices are not passed through: " DEVICE},
    {"pci_permissive", DEVICE},
    {"pci_msitranslate", DEVICE},
    {"pci_seize", DEVICE},
    {"pci_power_mgmt", DEVICE},
    {"dtdev", DEVICE},
    {"ioports", DEVICE},
    {"iomem", DEVICE},
    {"irqs", DEVICE},
    {"usbctrl", DEVICE},
    {"usbdev", DEVICE},
    {"vtpm", DEVICE},
    {"p9", DEVICE},
    {"pvcalls", DEVICE},
    {"vdispl", DEVICE},
    {"vsnd", DEVICE},
    {"vkb", DEVICE},
    {"vfb", "the guest will have no graphical console; \"xl console\" shows the text one"},
    {"channel", DEVICE},
    {"vuart", DEVICE},
    {"virtio", DEVICE},
    {"rdm", TUNING},
    {"e820_host", TUNING},
    {"max_event_channels", TUNING},
    {"max_grant_frames", TUNING},
    {"max_maptrack_frames", TUNING},
    {"max_grant_version", TUNING},
    {"cpuid", TUNING},
    {"msr_relaxed", TUNING},
    {"vpmu", TUNING},
    {"nomigrate", "\"arbiter move\" may move it; a local disk keeps it where it is"},
    {"driver_domain", "the guest will serve no devices to others"},
    {"dm_restrict", HVM},
    {"suppress_spurious_page_faults", TUNING},
    {"pvshim", "the PV guest runs without a shim"},
    {"pvshim_path", "the PV guest runs without a shim"},
    {"pvshim_cmdline", "the PV guest runs without a shim"},
    {"pvshim_extra", "the PV guest runs without a shim"},
    {"bootloader_args", "no bootloader runs in dom0"},
    {"hap", TUNING},
    {"nestedhvm", "the guest will not run hypervisors"},
    {"apic", TUNING},
    {"vmtrace_buf_kb", TUNING},
    {"xend_suspend_evtchn_compat", TUNING},
    {"device_model_version", HVM},
    {"device_model_override", HVM},
    {"device_model_args", HVM},
    {"device_model_args_pv", HVM},
    {"device_model_args_hvm", HVM},
    {"device_model_user", HVM},
    {"device_model", HVM},
    {"boot", HVM},
    {"firmware", HVM},
    {"firmware_override", HVM},
    {"bios", HVM},
    {"pae", HVM},
    {"acpi", HVM},
    {"acpi_s3", HVM},
    {"acpi_s4", HVM},
    {"nx", HVM},
    {"hpet", HVM},
    {"viridian", HVM},
    {"shadow_memory", HVM},
    {"vga", HVM},
    {"stdvga", HVM},
    {"videoram", HVM},
    {"vnc", HVM},
    {"vnclisten", HVM},
    {"vncdisplay", HVM},
    {"vncunused", HVM},
    {"vncpasswd", HVM},
    {"vncconsole", XM},
    {"keymap", HVM},
    {"sdl", HVM},
    {"opengl", HVM},
    {"nographic", HVM},
    {"spice", HVM},
    {"spicehost", HVM},
    {"spiceport", HVM},
    {"spicedisable_ticketing", HVM},
    {"spicepasswd", HVM},
    {"serial", HVM},
    {"soundhw", HVM},
    {"usb", HVM},
    {"usbdevice", HVM},
    {"usbversion", HVM},
    {"xen_platform_pci", HVM},
    {"gfx_passthru", HVM},
    {"altp2m", HVM},
    {"dhcp", XM "; addresses are given by the node (\"addresses\" in the agent's settings)"},
    {"ip", XM "; addresses are given by the node (\"addresses\" in the agent's settings)"},
    {"netmask", XM},
    {"gateway", XM},
    {"hostname", XM},
    {"nics", XM},
    {"vif_other_config", XM},
};
#define KEYS (sizeof keys / sizeof *keys)

/* What is read, for suggestions. */
static const char *const read_keys[] = {"name", "type",  "builder", "kernel", "ramdisk",
                                        "root", "extra", "cmdline", "memory", "vcpus",
                                        "cap",  "disk",  "vif",     "pvh",    "bootloader"};

static const char *meaning_of(const char *name)
{
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return keys[i].meaning;
        }
    }
    return NULL;
}

static void tell_unknown(const char *name, int line, struct xl_messages *messages)
{
    struct closest_word closest;
    char suggestion[TEXT_SIZE];
    closest_word_begin(&closest, name);
    for (size_t i = 0; i < sizeof read_keys / sizeof *read_keys; i++) {
        closest_word_offer(&closest, read_keys[i]);
    }
    for (size_t i = 0; i < KEYS; i++) {
        closest_word_offer(&closest, keys[i].name);
    }
    closest_word_print(&closest, suggestion, sizeof suggestion);
    xl_tell(messages, XL_WARNING, line, "%.64s is no key of xl.cfg, xl does not read it%.100s",
            name, suggestion);
}

void xl_keys_tell_unused(const struct xl_config *config, struct xl_messages *messages)
{
    for (uint32_t i = 0; i < config->settings_count; i++) {
        const struct xl_setting *setting = &config->settings[i];
        if (setting->used) {
            continue;
        }
        const char *name = config->text + setting->name;
        const char *meaning = meaning_of(name);
        if (meaning != NULL) {
            xl_tell(messages, XL_WARNING, setting->line, "%s is not carried over: %s", name,
                    meaning);
        } else {
            tell_unknown(name, setting->line, messages);
        }
    }
}
