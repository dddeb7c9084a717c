/* The shim's end of the memory shared with the starter. */
#ifndef HPOOL_CHANNEL_H
#define HPOOL_CHANNEL_H

#include "hpool/shm.h"

/* Both NULL when the program runs without a mirror: then every call is native.
 * Set by the loader before the program starts, inherited by fork. */
extern struct hp_channel *hp_channel;
extern const struct hp_attr_entry *hp_attributes;

#endif
