#include "app/event_renderers.h"

#include "dialect/dialects.h"

namespace sheaf::app {

EventRenderers make_event_renderers() {
    EventRenderers renderers;
    renderers.emplace("openai", dialect::openai::make_event_renderer());
    renderers.emplace("sail", dialect::sail::make_event_renderer());
    renderers.emplace("twelvelabs", dialect::twelvelabs::make_event_renderer());
    return renderers;
}

}  // namespace sheaf::app
