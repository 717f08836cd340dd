/* status.h - how C code that can fail says so. */
#ifndef MC_STATUS_H
#define MC_STATUS_H

typedef enum mc_status {
    MC_OK = 0,
    MC_NOMEM,       /* OutOfMemory */
    MC_IO,          /* NativeError: the system refused a file, a mapping, a thread */
    MC_BAD_MODEL,   /* ModelError: a file does not say what it must */
    MC_BAD_REQUEST, /* RequestError */
} mc_status;

/* Leaves a message for this thread and returns status:
 *     return mc_fail(MC_BAD_MODEL, "%s: %zu bytes, header says %zu", path, have, want); */
mc_status mc_fail(mc_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What this thread's last mc_fail said; valid until its next one. */
const char *mc_message(void);

#endif
