#include "store/postgres/listener.h"

#include <algorithm>
#include <array>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "store/postgres/statements.h"

namespace sheaf::store::postgres {
namespace {

constexpr std::chrono::milliseconds kFirstWait{100};
constexpr std::chrono::milliseconds kWaitMax{5'000};
constexpr std::chrono::milliseconds kBeatEvery{5'000};

}  // namespace

Listener::Listener(Secret url, Calls calls)
    : url_(std::move(url)),
      calls_(std::move(calls)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { run(); }) {}

Listener::~Listener() {
    const std::uint64_t one = 1;
    (void)!::write(stop_.fd(), &one, sizeof one);
    thread_.join();
}

void Listener::set(std::function<void()> changed) {
    const std::scoped_lock lock(mutex_);
    changed_ = std::move(changed);
}

void Listener::call() {
    const std::scoped_lock lock(mutex_);
    if (changed_) changed_();
}

bool Listener::wait(int fd, std::chrono::milliseconds at_most) const {
    std::array<pollfd, 2> sockets{pollfd{stop_.fd(), POLLIN, 0}, pollfd{fd, POLLIN, 0}};
    (void)::poll(sockets.data(), sockets.size(), static_cast<int>(at_most.count()));
    return sockets[0].revents == 0;
}

Result<std::unique_ptr<Connection>> Listener::connect() const {
    auto made = Connection::open(url_);
    if (!made) return made;
    auto named = (*made)->query(sql::kNameChannel);
    if (!named) return std::unexpected(named.error());
    (void)named->next();
    const std::string listen = "LISTEN \"" + named->text(0) + '"';
    if (const auto done = (*made)->execute(listen.c_str()); !done) return std::unexpected(done.error());
    return made;
}

void Listener::listen(Connection& connection) {
    PGconn* const handle = connection.handle();
    auto beat_at = std::chrono::steady_clock::now();
    for (;;) {
        if (std::chrono::steady_clock::now() >= beat_at) {
            if (!calls_.beat(connection)) return;
            beat_at = std::chrono::steady_clock::now() + kBeatEvery;
        }
        while (PGnotify* const notice = PQnotifies(handle)) {
            if (calls_.heard(notice->extra)) call();
            PQfreemem(notice);
        }
        if (!wait(PQsocket(handle), kBeatEvery)) return;
        if (PQconsumeInput(handle) != 1) return;
    }
}

void Listener::run() {
    std::chrono::milliseconds pause{0};
    for (bool is_first = true;; is_first = false) {
        auto connection = connect();
        if (connection) {
            pause = {};
            // Between the start and the first LISTEN others may have told something, too.
            calls_.deaf();
            call();
            if (!is_first) log::info("listening to the other nodes again");
            listen(**connection);
        }
        pause = std::clamp(pause * 2, kFirstWait, kWaitMax);
        if (!wait(-1, pause)) return;
        if (!connection) {
            log::warning("the other nodes cannot be heard", {{"why", connection.error().message}});
        } else {
            log::warning("the connection that hears the other nodes was lost");
        }
    }
}

}  // namespace sheaf::store::postgres
