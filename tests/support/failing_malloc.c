// A preloaded malloc() that fails when it is told to: every Nth allocation of at least so many bytes.
//
//   FAILING_MALLOC=FILE LD_PRELOAD=failing_malloc.so PROGRAM
//
// FILE holds three numbers of 8 bytes, which may be changed while the program runs: N (0: none fails), the bytes from
// which an allocation counts, and how many have failed. Frees and small allocations are left alone.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

static struct {
    _Atomic uint64_t every, bytes_min, failed;
}* told;
static _Atomic uint64_t counted;

__attribute__((constructor)) static void listen(void) {
    const char* const file = getenv("FAILING_MALLOC");
    const int fd = file != NULL ? open(file, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void* const mapped = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED) told = mapped;
}

static int fails(size_t bytes) {
    if (told == NULL || told->every == 0 || bytes < told->bytes_min) return 0;
    if (++counted % told->every != 0) return 0;
    ++told->failed;
    errno = ENOMEM;
    return 1;
}

void* malloc(size_t bytes) { return fails(bytes) ? NULL : __libc_malloc(bytes); }
void* calloc(size_t count, size_t bytes) { return fails(count * bytes) ? NULL : __libc_calloc(count, bytes); }
void* realloc(void* at, size_t bytes) { return fails(bytes) ? NULL : __libc_realloc(at, bytes); }
void* memalign(size_t align, size_t bytes) { return fails(bytes) ? NULL : __libc_memalign(align, bytes); }
void* aligned_alloc(size_t align, size_t bytes) { return fails(bytes) ? NULL : __libc_memalign(align, bytes); }
int posix_memalign(void** to, size_t align, size_t bytes) {
    if (fails(bytes)) return ENOMEM;
    *to = __libc_memalign(align, bytes);
    return *to == NULL ? ENOMEM : 0;
}
