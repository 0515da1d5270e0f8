#include "dialect/twelvelabs/task_request.h"

#include "dialect/twelvelabs/prompt_reader.h"

namespace sheaf::dialect::twelvelabs {
namespace {

void read_video_member(ObjectReader& reader, const service::Limits& limits, TaskRequest& request) {
    if (const auto video = reader.find("video", Need::required)) {
        request.video = read_video(*video, "video", limits.base64_bytes_max, reader.findings());
    }
}

// `prompt` is a string here, and `prompt_v2` the object that batches call `prompt`.
void read_either_prompt(ObjectReader& reader, const service::Limits& limits, TaskRequest& request) {
    Findings& findings = reader.findings();
    auto plain = reader.text("prompt");
    const auto object = reader.find("prompt_v2");
    if (plain && object) findings.invalid("prompt_v2", "cannot be used together with prompt");
    if (object) {
        request.params.prompt = std::make_shared<const core::Prompt>(
            read_prompt(*object, "prompt_v2", limits.base64_bytes_max, findings));
        request.params.prompt_form = PromptForm::object;
    } else if (plain) {
        if (plain->find_first_not_of(" \t\r\n") == std::string::npos)
            findings.invalid("prompt", "must not be empty");
        request.params.prompt = std::make_shared<const core::Prompt>(core::Prompt{std::move(*plain), {}});
        request.params.prompt_form = PromptForm::plain;
    }
}

void read_common_params(ObjectReader& reader, const service::Limits& limits, TaskRequest& request) {
    const AnalysisParams prompt = request.params;
    request.params = read_params(reader, {.mode = request.mode, .base64_bytes_max = limits.base64_bytes_max});
    request.params.prompt = prompt.prompt;
    request.params.prompt_form = prompt.prompt_form;
}

}  // namespace

TaskRequest read_task_request(dom::element body, const service::Limits& limits, Findings& findings) {
    ObjectReader reader(body, "", findings);
    TaskRequest request;
    request.model = reader.text("model_name");
    if (const auto word = reader.text("analysis_mode")) {
        const auto mode = parse_mode(*word);
        if (!mode) findings.invalid("analysis_mode", "must be \"general\" or \"time_based_metadata\"");
        request.mode = mode.value_or(Mode::general);
    }
    read_video_member(reader, limits, request);
    request.custom_id = reader.text("custom_id");
    if (request.custom_id && !is_plain_name(*request.custom_id)) {
        findings.invalid("custom_id", "must be 1 to 64 letters, digits, hyphens or underscores");
    }
    read_either_prompt(reader, limits, request);
    read_common_params(reader, limits, request);
    reader.finish();
    if (!findings.any()) check_together(request.params, request.mode, "", findings);
    return request;
}

TaskRequest read_direct_request(dom::element body, const service::Limits& limits, Findings& findings) {
    ObjectReader reader(body, "", findings);
    TaskRequest request;
    request.model = reader.text("model_name");
    if (reader.find("video_id")) {
        findings.invalid("video_id", "belongs to an older version of this API; use video");
    }
    read_video_member(reader, limits, request);
    read_either_prompt(reader, limits, request);
    read_common_params(reader, limits, request);
    request.stream = reader.flag("stream").value_or(true);
    reader.finish();
    if (!findings.any()) check_together(request.params, Mode::general, "", findings);
    return request;
}

}  // namespace sheaf::dialect::twelvelabs
