#include <locara/crypto/hmac.hpp>

#include <gtest/gtest.h>

namespace locara::crypto {
namespace {

// RFC 4231, test cases 1, 2 and 6 (a key longer than a block).
TEST(Hmac, gives_the_published_codes) {
    EXPECT_EQ(hmac_sha256(as_bytes(std::string(20, '\x0b')), as_bytes("Hi There")).render(),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?")).render(),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hmac_sha256(as_bytes(std::string(131, '\xaa')),
                          as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))
                  .render(),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

} // namespace
} // namespace locara::crypto
