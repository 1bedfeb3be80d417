// Reconstruction plans, both JSON forms: what is taken can be carried out, and reads back as the
// same plan.
#include <locara/xet/reconstruction.hpp>

#include <cstdint>

using namespace locara;
using namespace locara::xet;

namespace {

void check(const Plan& plan) {
    LOCARA_ASSERT(validate_plan(plan).has_value());
    const auto sources = find_sources(plan);
    LOCARA_ASSERT(sources.has_value() && sources->size() == plan.terms.size());
    for (std::size_t i = 0; i < sources->size(); ++i) {
        const FetchRange& range = *(*sources)[i].range;
        LOCARA_ASSERT(range.chunks.begin <= plan.terms[i].chunks.begin);
        LOCARA_ASSERT(range.chunks.end >= plan.terms[i].chunks.end);
        LOCARA_ASSERT((*sources)[i].xorb->xorb == plan.terms[i].xorb);
    }
    const auto v2 = parse_plan_v2(render_plan_v2(plan));
    LOCARA_ASSERT(v2.has_value() && *v2 == plan);
    const auto v1 = parse_plan_v1(render_plan_v1(plan));
    LOCARA_ASSERT(v1.has_value() && v1->terms == plan.terms);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_text({reinterpret_cast<const std::byte*>(data), size});
    if (const auto plan = parse_plan_v1(text)) {
        check(*plan);
        LOCARA_ASSERT(*parse_plan_v1(render_plan_v1(*plan)) == *plan);
    }
    if (const auto plan = parse_plan_v2(text)) {
        check(*plan);
    }
    return 0;
}
