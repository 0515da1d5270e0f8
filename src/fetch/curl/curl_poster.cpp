#include <algorithm>

#include <fmt/format.h>

#include "fetch/curl/guarded.h"
#include "fetch/curl/target.h"
#include "fetch/fetch.h"

namespace sheaf::fetch {
namespace {

// Of the answer, head and body together. Beyond it nothing is read, and the status stands.
constexpr std::size_t kAnswerBytesMax = std::size_t{64} << 10;

struct FreeList {
    void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

// One call of post(): what the callbacks share.
struct Transfer {
    Guard guard;
    const Poster::GivesUp& gives_up;
    std::size_t answer_bytes = 0;
    bool was_given_up = false;
};

std::size_t on_answer(char*, std::size_t size, std::size_t count, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    transfer.answer_bytes += size * count;
    return transfer.answer_bytes <= kAnswerBytesMax ? size * count : 0;
}

int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(context);
    transfer.was_given_up = transfer.gives_up();
    return transfer.was_given_up ? 1 : 0;
}

bool has_control(const std::string& text) {
    return std::ranges::any_of(text, [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

Result<HeaderList> list_headers(const std::vector<std::string>& headers) {
    HeaderList list;
    const auto add = [&](const std::string& header) {
        curl_slist* const longer = ::curl_slist_append(list.get(), header.c_str());
        if (longer == nullptr) return false;
        (void)list.release();
        list.reset(longer);
        return true;
    };
    for (const std::string& header : headers) {
        if (has_control(header)) return fail(ErrorCode::invalid, "A header has a control character.");
        if (!add(header)) return fail(ErrorCode::internal, "There is no memory for a header.");
    }
    // Without a value: not sent. libcurl would wait for a go-ahead before it sends a large body.
    if (!add("Expect:")) return fail(ErrorCode::internal, "There is no memory for a header.");
    return list;
}

class CurlPoster final : public Poster {
public:
    CurlPoster(PostPolicy policy, AddressRules rules)
        : policy_(std::move(policy)), rules_(std::move(rules)) {}

    Result<int> post(const Message& message, const GivesUp& gives_up) override {
        const auto target = parse_target(message.url);
        if (!target) return std::unexpected(target.error());
        if (target->address && !rules_.allows({*target->address, target->port})) return denied();
        const auto headers = list_headers(message.headers);
        if (!headers) return std::unexpected(headers.error());
        const Easy easy(::curl_easy_init());
        if (!easy) return fail(ErrorCode::internal, "There is no memory for a transfer.");
        Transfer transfer{.guard = {rules_}, .gives_up = gives_up};
        Options options(easy.get());
        set_guarded(options, transfer.guard);
        options.set(CURLOPT_URL, target->url.c_str())
            .set(CURLOPT_POST, 1L)
            .set(CURLOPT_POSTFIELDS, message.body.empty() ? "" : message.body.data())
            .set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(message.body.size()))
            .set(CURLOPT_HTTPHEADER, headers->get())
            .set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(policy_.connect_time.count()))
            .set(CURLOPT_TIMEOUT_MS, static_cast<long>(message.time_max.count()))
            .set(CURLOPT_HEADERFUNCTION, &on_answer)
            .set(CURLOPT_HEADERDATA, &transfer)
            .set(CURLOPT_WRITEFUNCTION, &on_answer)
            .set(CURLOPT_WRITEDATA, &transfer)
            .set(CURLOPT_NOPROGRESS, 0L)
            .set(CURLOPT_XFERINFOFUNCTION, &on_progress)
            .set(CURLOPT_XFERINFODATA, &transfer);
        if (!options.complete())
            return fail(ErrorCode::internal, "libcurl does not take an option that we rely on.");

        const CURLcode code = ::curl_easy_perform(easy.get());
        if (transfer.was_given_up) return fail(ErrorCode::canceled, "The transfer was given up.");
        if (transfer.guard.was_denied && code != CURLE_OK) return denied();
        const bool read_enough = code == CURLE_WRITE_ERROR && transfer.answer_bytes > kAnswerBytesMax;
        if (code != CURLE_OK && !read_enough) return std::unexpected(error_of(code));
        long status = 0;
        ::curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
        if (status == 0) return std::unexpected(error_of(CURLE_GOT_NOTHING));
        return static_cast<int>(status);
    }

private:
    PostPolicy policy_;
    AddressRules rules_;
};

}  // namespace

Result<std::unique_ptr<Poster>> make_curl_poster(PostPolicy policy) {
    if (const auto started = start_curl(); !started) return std::unexpected(started.error());
    auto rules = AddressRules::make(policy.allowed_networks);
    if (!rules) return std::unexpected(rules.error());
    return std::make_unique<CurlPoster>(std::move(policy), std::move(*rules));
}

Result<> check_url(const std::string& url) {
    if (const auto target = parse_target(url); !target) return std::unexpected(target.error());
    return {};
}

Result<std::string> origin_of(const std::string& url) {
    const auto target = parse_target(url);
    if (!target) return std::unexpected(target.error());
    const std::string scheme = target->url.substr(0, target->url.find(':'));
    return fmt::format("{}://{}:{}", scheme, target->host, target->port);
}

}  // namespace sheaf::fetch
