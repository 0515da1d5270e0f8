#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sheaf {

// Points on the civil time line, UTC, to the millisecond: what is stored and shown.
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

// "2026-06-18T10:00:00.000Z"
std::string to_rfc3339(Timestamp time);

// Where the time comes from, so that tests can turn it. Threads: any.
class Clock {
public:
    virtual ~Clock() = default;
    virtual Timestamp now() const = 0;
};

class SystemClock final : public Clock {
public:
    Timestamp now() const override;
};

// A clock that a test turns by hand. Threads: one.
class ManualClock final : public Clock {
public:
    explicit ManualClock(Timestamp start) : now_(start) {}
    Timestamp now() const override { return now_; }
    void advance(std::chrono::milliseconds by) { now_ += by; }

private:
    Timestamp now_;
};

}  // namespace sheaf
