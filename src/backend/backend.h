#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/id.h"
#include "core/inference.h"
#include "core/outcome.h"
#include "media/video.h"

namespace sheaf::backend {

// An image that a prompt refers to, fetched and at hand.
struct ImageInput {
    std::string name;
    std::string mime_type;  // from the content: image/jpeg, image/png, image/webp, image/gif, image/bmp
    std::string bytes;
};

struct Job {
    core::Inference inference;
    std::shared_ptr<media::Video> video;  // of a video analysis
    // In the order of the prompt's or the definitions' images, by name.
    std::vector<ImageInput> images;
    std::optional<std::string> custom_id;
    std::uint64_t prefix = 0;  // the beginning that it shares with others, as in core::Planned; or 0
    std::uint32_t attempt = 1;
    bool is_live = false;  // somebody waits for it
    // For a live call that streams: text as it comes, or of a model request the events for its client. What
    // it was given is part of the answer too.
    // Called on the executor that runs the job. Empty for batch items.
    std::function<void(std::string_view fragment)> on_text;
};

// Runs one inference on one model server, or inside this process.
//
// run() tries once; whether to try again is the caller's (core/retry.h). It never throws but for
// cancellation, which stops the work soon. Belongs to one executor; any number of runs may be under way. An
// answer to JSON or segments was checked: its text parses and follows the schema or the rules, or the outcome
// is no Answer.
class Backend {
public:
    virtual ~Backend() = default;
    virtual async::Task<core::Outcome> run(Job job) = 0;

    // How many runs may be under way at once, batch items and live calls together, as its servers do at the
    // moment; at least 1. nullopt: it sets no limit.
    virtual std::optional<std::uint32_t> window() const { return std::nullopt; }
    // `told` is called whenever window() has grown; an empty one ends that.
    virtual void on_wider_window(std::function<void()> told) { static_cast<void>(told); }
    // None of its servers seems to answer: what broke just now need not be the item's fault.
    virtual bool is_out() const { return false; }
    enum class Try : std::uint8_t { first, after_break };
    // Before an attempt that can wait: until one of its servers answers, and, after a broken attempt, until
    // few enough calls of late were such repeats.
    virtual async::Task<void> ready_for(Try attempt) {
        static_cast<void>(attempt);
        co_return;
    }
    // Whether a run may be late for reasons of its server, so that another run of the same may be sooner.
    virtual bool may_be_late() const { return false; }
    // Whether what an item begins with need not be read again for the next that begins so: its servers keep
    // it.
    virtual bool keeps_prefixes() const { return false; }
    virtual std::size_t server_count() const { return 1; }
    // The server, of several, that has read what begins with the prefix, or is about to, while it takes work.
    virtual std::optional<std::size_t> home_of(std::uint64_t prefix) const {
        static_cast<void>(prefix);
        return std::nullopt;
    }
    // What begins with the prefix goes to this server from now on.
    virtual void settle(std::uint64_t prefix, std::size_t server) {
        static_cast<void>(prefix);
        static_cast<void>(server);
    }

    // Ends what goes on between runs. No run may be under way, and none begins afterwards. Whoever has run
    // jobs calls it before the end, while the executor runs.
    virtual async::Task<void> stop() { co_return; }
};

}  // namespace sheaf::backend
