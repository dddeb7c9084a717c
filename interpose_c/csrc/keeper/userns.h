/* The namespaces a starter lives in: its own user and mount namespace.
 *
 * Owns: becoming an unprivileged user, the single-line id map, the mirror's
 * tmpfs. Leaves to others: what is inside the mirror (engine), the job's own
 * namespaces (the keeper's other files). No globals, no main: the same source
 * is compiled into the keeper's tests and into the engine's module.
 */
#ifndef HPOOL_USERNS_H
#define HPOOL_USERNS_H

#include <stdint.h>

/* Makes this process root-like over a user namespace of its own, and nothing
 * outside of it. Seen from inside it is (inside_uid, inside_gid); from outside
 * (outside_uid, outside_gid), which root takes on first and others must be already.
 * Ends non-dumpable: nobody of the same uid may look into it. All capabilities
 * stay (ambient too, so that the keeper keeps them over its exec).
 * Only before the first thread. 0 or -errno; after an error the process is
 * half way and good for nothing but _exit. */
int hp_userns_enter(unsigned inside_uid, unsigned inside_gid, unsigned outside_uid, unsigned outside_gid);

/* Mounts a tmpfs over `directory`, seen in this mount namespace only.
 * An O_PATH descriptor of its root (close-on-exec), or -errno. */
int hp_mirror_mount(const char *directory, uint64_t size_bytes, uint64_t inodes);

#endif
