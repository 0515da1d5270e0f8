// Preloaded allocation that fails when it is told to: every Nth of at least so many bytes.
//
//   FAILING_MALLOC=FILE LD_PRELOAD=failing_malloc.so PROGRAM
//
// FILE holds three numbers of 8 bytes, which may be changed while the program runs: N (0: none fails), the
// bytes from which an allocation counts, and how many have failed. Memory comes from the program's own
// allocator, which also frees it: glibc's, or one that takes the place of __libc_malloc too, as tcmalloc
// does.
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <new>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* at, std::size_t bytes);
void* __libc_memalign(std::size_t align, std::size_t bytes);
}

namespace {

struct Told {
    std::atomic<std::uint64_t> every, bytes_min, failed;
};
Told* told = nullptr;
std::atomic<std::uint64_t> counted;

[[gnu::constructor]] void listen() {
    const char* const file = std::getenv("FAILING_MALLOC");
    const int fd = file != nullptr ? ::open(file, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void* const mapped = ::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (mapped != MAP_FAILED) told = static_cast<Told*>(mapped);
}

bool fails(std::size_t bytes) {
    if (told == nullptr) return false;
    const auto every = told->every.load();
    if (every == 0 || bytes < told->bytes_min || ++counted % every != 0) return false;
    ++told->failed;
    errno = ENOMEM;
    return true;
}

void* allocate(std::size_t bytes) {
    return fails(bytes) ? nullptr : __libc_malloc(bytes);
}

void* allocate(std::size_t align, std::size_t bytes) {
    return fails(bytes) ? nullptr : __libc_memalign(align, bytes);
}

void* or_throw(void* made) {
    if (made == nullptr) throw std::bad_alloc();
    return made;
}

}  // namespace

extern "C" {

void* malloc(std::size_t bytes) noexcept {
    return allocate(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) noexcept {
    return fails(count * bytes) ? nullptr : __libc_calloc(count, bytes);
}

void* realloc(void* at, std::size_t bytes) noexcept {
    return fails(bytes) ? nullptr : __libc_realloc(at, bytes);
}

void* memalign(std::size_t align, std::size_t bytes) noexcept {
    return allocate(align, bytes);
}

void* aligned_alloc(std::size_t align, std::size_t bytes) noexcept {
    return allocate(align, bytes);
}

int posix_memalign(void** to, std::size_t align, std::size_t bytes) noexcept {
    void* const made = allocate(align, bytes);
    if (made == nullptr) return ENOMEM;
    *to = made;
    return 0;
}
}

void* operator new(std::size_t bytes) {
    return or_throw(allocate(bytes));
}
void* operator new[](std::size_t bytes) {
    return or_throw(allocate(bytes));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return allocate(bytes);
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
    return allocate(bytes);
}
void* operator new(std::size_t bytes, std::align_val_t align) {
    return or_throw(allocate(static_cast<std::size_t>(align), bytes));
}
void* operator new[](std::size_t bytes, std::align_val_t align) {
    return or_throw(allocate(static_cast<std::size_t>(align), bytes));
}
