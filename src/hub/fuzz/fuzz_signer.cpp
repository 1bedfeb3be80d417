// Tokens and signed addresses that somebody hands to the hub: nothing passes that it did not make,
// and what it makes passes until its time is over.
#include "../signer.hpp"

#include <locara/base/file.hpp>

#include <algorithm>
#include <array>

using namespace locara;
using std::chrono::seconds;

namespace {

const TimePoint kNow{seconds(1'800'000'000)};
const auto kXorb = xet::XorbHash::parse(std::string(64, 'a')).value();
const auto kOid = crypto::Sha256Digest::parse(std::string(64, 'b')).value();

/// A key that is always the same, so that the corpus has things that pass.
const hub::Signer& signer() {
    static const hub::Signer one = [] {
        const TempFolder folder = TempFolder::create("/tmp", "locara-fuzz-signer-").value();
        const auto file = folder.path() / "key";
        LOCARA_ASSERT(write_file_atomically(file, as_bytes(std::string(64, '0'))).has_value());
        return hub::Signer::open(file).value();
    }();
    return one;
}

/// The value of a name in "a=b&c=d".
std::string_view value_of(std::string_view query, std::string_view name) {
    const std::size_t at = query.find(std::string(name) + "=");
    if (at == std::string_view::npos) {
        return {};
    }
    query.remove_prefix(at + name.size() + 1);
    return query.substr(0, query.find('&'));
}

void read(std::string_view text) {
    if (const auto claims = signer().parse_token(text, kNow)) {
        LOCARA_ASSERT(claims->expires > kNow && signer().make_token(*claims) == text);
    }
    const auto expires = value_of(text, "exp");
    const auto sig = value_of(text, "sig");
    const auto ranges = value_of(text, "ranges");
    if (const auto spans = signer().parse_query(kXorb, ranges, expires, sig, kNow)) {
        const auto made = signer().make_query(
            kXorb, *spans, TimePoint(seconds(std::stoll(std::string(expires)))));
        LOCARA_ASSERT(value_of(made, "sig") == sig && value_of(made, "ranges") == ranges);
    }
    const auto upload = signer().parse_upload_query(
        kOid, value_of(text, "repo"), value_of(text, "size"), expires, sig, kNow);
    if (upload) {
        LOCARA_ASSERT(value_of(signer().make_upload_query(*upload), "sig") == sig);
    }
}

/// Takes numbers off the input; zeros at its end.
class Numbers {
  public:
    explicit Numbers(ByteView bytes) : bytes_(bytes) {}

    std::uint64_t next() {
        std::uint64_t number = 0;
        for (std::size_t i = 0; i < sizeof number && !bytes_.empty(); ++i) {
            number = number << 8U | std::to_integer<std::uint64_t>(bytes_.front());
            bytes_ = bytes_.subspan(1);
        }
        return number;
    }

  private:
    ByteView bytes_;
};

void make_and_spoil(ByteView data) {
    Numbers numbers(data);
    const auto repo = static_cast<std::int64_t>(numbers.next());
    const seconds life(static_cast<std::int64_t>(numbers.next() % 1'000'000) + 1);
    const auto role = numbers.next() % 2 == 0 ? hub::XetRole::Read : hub::XetRole::Write;
    std::string token = signer().make_token({repo, role, kNow + life});
    const auto claims = signer().parse_token(token, kNow);
    LOCARA_ASSERT(claims && claims->repo == repo && claims->role == role);
    LOCARA_ASSERT(!signer().parse_token(token, kNow + life));

    std::vector<hub::Span> spans(1 + numbers.next() % 64);
    for (hub::Span& span : spans) {
        span.begin = numbers.next() >> 1U;
        span.end = span.begin + 1 + (numbers.next() >> 2U);
    }
    std::string query = signer().make_query(kXorb, spans, kNow + life);
    const auto opens = [&](const std::string& text) {
        return signer().parse_query(
            kXorb, value_of(text, "ranges"), value_of(text, "exp"), value_of(text, "sig"), kNow);
    };
    LOCARA_ASSERT(opens(query) && *opens(query) == spans);

    const auto change = static_cast<char>(1 + numbers.next() % 127);
    char& spoiled = token[numbers.next() % token.size()];
    spoiled = static_cast<char>(spoiled ^ change);
    LOCARA_ASSERT(!signer().parse_token(token, kNow));
    // Behind "ranges=", and not the names of the others.
    const std::array<std::string_view, 3> names{"ranges", "exp", "sig"};
    const auto value = value_of(query, names.at(numbers.next() % names.size()));
    const auto at = static_cast<std::size_t>(value.data() - query.data());
    char& other = query[at + numbers.next() % value.size()];
    other = static_cast<char>(other ^ change);
    LOCARA_ASSERT(!opens(query));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes = std::as_bytes(std::span(data, size));
    read(as_text(bytes));
    make_and_spoil(bytes);
    return 0;
}
