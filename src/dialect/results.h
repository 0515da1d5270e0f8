#pragma once

#include <functional>
#include <string>

#include "async/task.h"
#include "base/result.h"
#include "http/message.h"
#include "service/batches.h"

namespace sheaf::dialect {

// The line of an item that has none in the store, ended by '\n': it never ran, or it is still to come.
using LineOfUnrun = std::function<std::string(const core::ItemHead&)>;

// The results of a batch as JSON Lines: one line per item, in order of submission, as they are now.
//
// A batch whose lines are laid out is sent as a file. Of another, pages are read one after the other, each of
// them one state of the store. When a page cannot be read after the first, the connection is cut, so that
// nobody takes what came for all of it.
struct ResultsForm {
    std::string content_type;
    LineOfUnrun line_of_unfinished;
};
async::Task<Result<http::Response>> send_results(service::Batches& batches, core::Batch batch,
                                                 ResultsForm form);

}  // namespace sheaf::dialect
