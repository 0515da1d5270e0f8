#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dialect/multipart_form.h"
#include "dialect/twelvelabs/gate.h"
#include "service/assets.h"

namespace sheaf::dialect::twelvelabs {

// POST /assets: a form whose file is stored as it arrives, before the fields after it are known. Left at any
// point, it leaves nothing behind.
//
// A file that is too large is read to the end all the same, within reason: many clients look at the answer
// only once they have sent everything.
class AssetForm {
public:
    explicit AssetForm(service::Assets& assets) : assets_(&assets) {}

    async::Task<Checked<>> read(http::Request& request);
    // Checks the fields and creates the asset.
    async::Task<Checked<core::Asset>> create(AccountId account);

private:
    struct Fields {
        std::optional<std::string> method;
        std::optional<std::string> url;
        std::optional<std::string> filename;
        std::optional<std::string> enable_hls;
        std::optional<std::string> enable_thumbnail;
        std::optional<std::string> user_metadata;
    };
    // The field of this name, or null.
    std::optional<std::string>* field(std::string_view name);
    async::Task<Checked<>> take(FormParser& parser);
    async::Task<Checked<>> begin_part(FormPart part);
    async::Task<Checked<>> add_data(std::string_view data);
    async::Task<Checked<>> add_file_data(std::string_view data);
    Checked<service::AssetRequest> check_fields(AccountId account) const;

    service::Assets* assets_;
    Fields fields_;
    std::optional<std::string>* current_ = nullptr;  // null: the file
    std::optional<service::IncomingFile> file_;
    std::optional<std::string> file_name_;
    std::string file_start_;          // enough to tell an image
    std::optional<Problem> refusal_;  // kept until the body is read
};

// Whether a file that starts so is an image of a kind we take.
bool looks_like_image(std::string_view start);

}  // namespace sheaf::dialect::twelvelabs
