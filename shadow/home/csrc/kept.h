/* What the operations tell the undo journal. Included by internal.h alone. */
#ifndef HPOOL_HOME_KEPT_H
#define HPOOL_HOME_KEPT_H

/* ---- journal.c, epochs.c: what it takes to undo; all do nothing without a journal ---- */
/* Before bytes [from, to) of the file change, or its attributes (0, 0). */
void hp_undo_content(hp_home *, int fd, struct hp_text path, uint64_t from, uint64_t to);
void hp_undo_handle(hp_home *, struct hp_handle *, uint64_t from, uint64_t to, uint64_t *size);
/* Its path is the handle's, if that is not NULL. */
void hp_undo_xattr(hp_home *, struct hp_handle *, int fd, struct hp_text path, const char *name);
/* Before a name is made; `fd`: for what is there already, or -1. Afterwards, with what the first gave. */
uint64_t hp_undo_make(hp_home *, const struct hp_found *, int fd, uint32_t type);
void hp_undo_made(hp_home *, const struct hp_found *, uint64_t at, bool made);
/* Before and after a name is removed, whose object was looked at; or moved. `at`: what the first gave. */
uint64_t hp_undo_remove(hp_home *, const struct hp_found *);
void hp_undo_removed(hp_home *, const struct hp_found *, uint64_t at, bool done);
uint64_t hp_undo_rename(hp_home *, const struct hp_found *from, const struct hp_found *to, bool exchange);
void hp_undo_not(hp_home *, uint64_t at); /* it was not done */
/* After the session has changed it. */
void hp_undo_changed(hp_home *, int fd);
void hp_undo_changed_at(hp_home *, const struct stat *);
void hp_undo_shared(hp_home *, int fd); /* others were seen to change it too */
uint32_t hp_undo_links(hp_home *, uint64_t dev, uint64_t ino); /* names it has in the journal */
bool hp_undo_yield(hp_home *); /* there is no room at home: was some made? */
void hp_undo_free(hp_home *);
void hp_undo_enter(hp_home *); /* an operation that changes something begins */
void hp_undo_leave(hp_home *);

#endif
