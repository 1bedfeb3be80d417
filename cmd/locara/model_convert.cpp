#include "model_convert.hpp"

#include <locara/base/file.hpp>
#include <locara/manifest/card.hpp>

#include <deque>

#include <fcntl.h>

namespace locara::cli {

namespace {

constexpr std::string_view kCard = "README.md";

} // namespace

Result<convert::Converted> convert_sources(Context& context,
                                           const std::vector<FetchedFile>& files,
                                           const std::string& repo,
                                           std::optional<convert::Precision> precision,
                                           const std::filesystem::path& output) {
    convert::ConvertRequest request;
    request.repo = repo;
    request.precision = precision;
    request.output = output;
    std::deque<Fd> opened;
    std::deque<formats::FileSource> sources;
    for (const auto& [file, place] : files) {
        if (file.path == kCard) {
            LOCARA_TRY(const auto text, read_file(place, manifest::kCardLimitBytes));
            LOCARA_TRY(request.card, manifest::read_front_matter(text).context(file.path));
            continue;
        }
        LOCARA_TRY(auto fd, open_file(place, O_RDONLY));
        const auto& kept = opened.emplace_back(std::move(fd));
        LOCARA_TRY(auto source, formats::FileSource::create(kept, place));
        request.files.push_back({file.path, &sources.emplace_back(std::move(source))});
    }
    const auto progress = context.progress();
    auto done = convert::convert(request, *progress, interrupt_token());
    progress->clear();
    return std::move(done).context("converting " + clean(repo));
}

} // namespace locara::cli
