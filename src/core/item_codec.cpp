#include "core/item_codec.h"

namespace sheaf::core {
namespace {

// To read a video is most of the work on it, however long it is.
constexpr std::uint64_t kSubjectTokens = 10'000;

}  // namespace

Forecast ItemCodec::forecast(const Batch&, const Subject& subject, std::string_view) const {
    Forecast forecast;
    if (!subject.text.empty()) forecast.prompt.add(subject.text, kSubjectTokens);
    return forecast;
}

}  // namespace sheaf::core
