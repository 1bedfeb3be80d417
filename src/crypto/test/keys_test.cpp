#include <locara/base/file.hpp>
#include <locara/crypto/keys.hpp>

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace locara::crypto {
namespace {

struct Vector {
    const char* seed;
    const char* public_key;
    const char* message;
    const char* signature;
};

// RFC 8032, section 7.1: tests 1, 2, 3 and SHA(abc).
constexpr Vector kRfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
     "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
     "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d"
     "8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
     "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6"
     "594a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fee"
     "b"
     "bd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e"
     "0"
     "303dca179c138ac17ad9bef1177331a704"},
};

// Made with OpenSSL's own command: `dgst -sha256 -sign` over the six bytes "locara", with
// `-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32` for kPssSignature.
constexpr auto kMessage = "locara";
constexpr auto kEcdsaKey = "-----BEGIN PUBLIC KEY-----\n"
                           "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvXq2RIQUJhDjGTywyKh4e1+BsXUt\n"
                           "FMioNAJDFtnaa9DxXJNwwe6DsmJOpq9P5vqgOeTVWS8EGUY4l8nEBSGAxQ==\n"
                           "-----END PUBLIC KEY-----\n";
constexpr auto kEcdsaSignature =
    "3046022100eddd5073e32a6a2756c2d6d8fde0c22a8ee652c02dd0b890d7455957c8e638a6022100"
    "8eb7e7aa6a17e67667f674c92257da21cec3b702e7a4cc61369eb8062c6a0ed8";
constexpr auto kP384Key = "-----BEGIN PUBLIC KEY-----\n"
                          "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAErY6OKcZypKE0v5vY9cxwcoKAO6ZwIM9c\n"
                          "vRVlA/z+2fOH05gys8IkwAXVzNY34gReJ9UdsMn9dRlWqjamjSIaMfKWhnQ4FfLo\n"
                          "uMYHQ202kY+R3dACOK5Fq5HmXZsM1NUz\n"
                          "-----END PUBLIC KEY-----\n";
constexpr auto kRsaKey = "-----BEGIN PUBLIC KEY-----\n"
                         "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArC+VH6XVMjuXzXchvRv4\n"
                         "ciAqAcVgei0w1UkYh8FgqRf4tYAnTTXo1fj5ooAmyPIMmUInSjQ/taYsWJ7f7Q8Q\n"
                         "gBz6kZkv9ZKOMxF1lyZgMQZErUphmA8SCummrqtNFdDWHIN2AFNt0a9e1JJFkJ0L\n"
                         "nlMj44Q2zeLTiwxvAr4qssns+wPHnF6S+9iODsNrNrcpz87W2+kv6oOtNshaAz8v\n"
                         "ae+rroL9Lxelsw37ycPYk8kMxpq5zzulJgTyENbU2j7QY5tI+GxQXOaz1LEO+FMV\n"
                         "xaZYp2awSp/VcsrVgBwaXNMfUCGTwvrcPF/5j5EbiWFM6FlPq6tLTcYo+PeIVSjY\n"
                         "XwIDAQAB\n"
                         "-----END PUBLIC KEY-----\n";
constexpr auto kRsa1024Key = "-----BEGIN PUBLIC KEY-----\n"
                             "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDXunCrf9/t/AhGdsLMzDskL5nY\n"
                             "2aRbYoWKMqgeRUU6SEaG9xvLDbN3cc2poKHNdrm5ZDUic2CscOU9T/poYatMajiQ\n"
                             "DFCnAKODg0w2xdhsIXpwrWSgc+VyQ8aQ/bZ1jM/HDjGtDaISBUJOXTips/Cev33I\n"
                             "JbpjvVTh5B4mpsA5swIDAQAB\n"
                             "-----END PUBLIC KEY-----\n";
constexpr auto kPssSignature =
    "165f0f414380e22a03ff584b397f3ba37666ab4d21ca9a1447393ccd37dcb9edbdcc892c9904273b"
    "18a316aae29f41347c0283489f16f1c39636ad171831795f3b114689b96019ce521a0be1a4bef8a4"
    "8069cdb3d775c158d0fc869ceef1c36b5f30241a3cb5f842536edb06f5a1af93ad62eb84c625c95c"
    "c1dab29bba9899c3b8f3d94aa55166a97600f81a32a6e64a327f71f8e3adb3cd74d870759c03800d"
    "0b6f754132a931b8431343e026c4a1f71f72ca8cee14780c0d7d3e6f72b7e85cb117f16da26e555e"
    "75a2cfa70b6635318c8d0d6f7517a104101b13bfbebbf4b841b5a1cbe8542c7b704cf29ce7869610"
    "e68500cfdd7e2b6c54233f8951b26cc9";
constexpr auto kPkcs1Signature =
    "0c7a10fcda6599d31801d52cd1a0b6c0f9b94bc62ad6f5ed17e1bcbcbd92b3f272db6d47e0aadecd"
    "284fa1630d5591d9c9b447f7e35dad96307665cf0cf17339a841e4394c73b7db0e9304576c29fcef"
    "ed080f78785871a2e90c234aa9673e1ca78fc8b0248a2a9c5633ac2542cecfa78df5291b395cda88"
    "bd655c650ef38784b6e85e617beba53a88e0e2f2d44d173d42908ab7ecf70a5ef9a6e360cc0c337b"
    "f050dd791555b5efe019bbe0c6972506cd79ba52c39f67772e26686a5cf3cbdfa84be6d56522797d"
    "81a1759f8fb05080c861dbf468df6644a506a5a65fc0dbf092f0a28e35b4148dac22f38e0c0ba365"
    "4b942c41bcbf12037b368f7808ed10e6";

Bytes hex(std::string_view text) {
    return parse_hex(text).value();
}

TempFolder scratch() {
    return TempFolder::create(std::filesystem::temp_directory_path(), "locara-").value();
}

TEST(SigningKey, follows_the_examples_of_rfc_8032) {
    for (const auto& vector : kRfc8032) {
        const auto key = SigningKey::from_seed(hex(vector.seed)).value();
        EXPECT_EQ(key.public_key().value(), vector.public_key);
        EXPECT_EQ(render_hex(key.sign(hex(vector.message))), vector.signature);
        EXPECT_TRUE(key.public_key().verify(hex(vector.message), hex(vector.signature)));
    }
}

TEST(PublicKey, refuses_a_signature_with_any_one_bit_changed) {
    const auto& vector = kRfc8032[2];
    const auto key = PublicKey::parse("ed25519", "ed25519", vector.public_key).value();
    const Bytes good = hex(vector.signature);
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        Bytes bad = good;
        bad[bit / 8] ^= std::byte{1} << (bit % 8);
        ASSERT_FALSE(key.verify(hex(vector.message), bad)) << bit;
    }
    EXPECT_FALSE(key.verify(hex("af83"), good));
    EXPECT_FALSE(key.verify(hex(vector.message), ByteView(good).first(63)));
    EXPECT_FALSE(key.verify(hex(vector.message), {}));
}

// S + L is the same value modulo the group order: RFC 8032, section 5.1.7 wants S below L.
TEST(PublicKey, refuses_the_other_form_of_the_same_signature) {
    const auto& vector = kRfc8032[0];
    const auto key = PublicKey::parse("ed25519", "ed25519", vector.public_key).value();
    const Bytes order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    Bytes signature = hex(vector.signature);
    unsigned carry = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        carry += std::to_integer<unsigned>(signature[32 + i]) + std::to_integer<unsigned>(order[i]);
        signature[32 + i] = static_cast<std::byte>(carry & 0xFFU);
        carry >>= 8U;
    }
    EXPECT_FALSE(key.verify({}, signature));
}

// The key in the targets.json example of the TUF specification, 1.0.34, section 4.5.
TEST(PublicKey, has_the_key_id_of_the_tuf_specification) {
    const auto key =
        PublicKey::parse("ed25519",
                         "ed25519",
                         "b6e40fb71a6041212a3d84331336ecaa1f48a0c523f80ccc762a034c727606fa")
            .value();
    EXPECT_EQ(key.id(), "f761033eb880143c52358d941d987ca5577675090e2215e856ba0099bc0ce4f6");
}

TEST(PublicKey, verifies_ecdsa_over_p256) {
    for (const auto* type : {"ecdsa", "ecdsa-sha2-nistp256"}) {
        const auto key = PublicKey::parse(type, "ecdsa-sha2-nistp256", kEcdsaKey).value();
        EXPECT_TRUE(key.verify(as_bytes(kMessage), hex(kEcdsaSignature)));
        EXPECT_FALSE(key.verify(as_bytes("Locara"), hex(kEcdsaSignature)));
    }
    EXPECT_EQ(PublicKey::parse("ecdsa", "ecdsa-sha2-nistp256", kP384Key).error().code(),
              ErrorCode::InvalidArgument);
}

TEST(PublicKey, verifies_rsa_pss_and_no_other_padding) {
    const auto key = PublicKey::parse("rsa", "rsassa-pss-sha256", kRsaKey).value();
    EXPECT_TRUE(key.verify(as_bytes(kMessage), hex(kPssSignature)));
    EXPECT_FALSE(key.verify(as_bytes("Locara"), hex(kPssSignature)));
    EXPECT_FALSE(key.verify(as_bytes(kMessage), hex(kPkcs1Signature)));
}

TEST(PublicKey, refuses_weak_foreign_and_malformed_keys) {
    EXPECT_EQ(PublicKey::parse("rsa", "rsassa-pss-sha256", kRsa1024Key).error().code(),
              ErrorCode::InvalidArgument);
    EXPECT_EQ(PublicKey::parse("rsa", "rsassa-pss-sha256", kEcdsaKey).error().code(),
              ErrorCode::InvalidArgument);
    EXPECT_EQ(PublicKey::parse("ecdsa", "ecdsa-sha2-nistp256", "no PEM").error().code(),
              ErrorCode::InvalidArgument);
    EXPECT_EQ(PublicKey::parse("ed25519", "ed25519", "abcd").error().code(),
              ErrorCode::InvalidArgument);
    EXPECT_EQ(PublicKey::parse("rsa", "rsa-pkcs1v15-sha256", kRsaKey).error().code(),
              ErrorCode::Unsupported);
    EXPECT_EQ(PublicKey::parse("sphincs", "x", "y").error().code(), ErrorCode::Unsupported);
}

TEST(PublicKey, is_the_same_key_however_it_is_written) {
    std::string spaced = kEcdsaKey;
    spaced.insert(0, "a comment above\n");
    const auto one = PublicKey::parse("ecdsa", "ecdsa-sha2-nistp256", kEcdsaKey).value();
    const auto two = PublicKey::parse("ecdsa", "ecdsa-sha2-nistp256", spaced).value();
    EXPECT_NE(one.id(), two.id());
    EXPECT_TRUE(one == two);
}

TEST(SigningKey, survives_its_file_and_is_readable_by_its_owner_only) {
    const auto folder = scratch();
    const auto path = folder.path() / "root-1.pem";
    const auto key = SigningKey::generate();
    ASSERT_TRUE(key.save(path));

    struct stat info {};

    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U);
    const auto again = SigningKey::load(path).value();
    EXPECT_TRUE(again.public_key() == key.public_key());
    EXPECT_EQ(again.sign(as_bytes("m")), key.sign(as_bytes("m")));
    EXPECT_FALSE(SigningKey::generate().public_key() == key.public_key());
}

TEST(SigningKey, never_overwrites_a_key_file) {
    const auto folder = scratch();
    const auto path = folder.path() / "k.pem";
    const auto key = SigningKey::generate();
    ASSERT_TRUE(key.save(path));
    EXPECT_EQ(SigningKey::generate().save(path).error().code(), ErrorCode::Conflict);
    EXPECT_TRUE(SigningKey::load(path)->public_key() == key.public_key());
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "k.pem.new"));
}

TEST(SigningKey, opens_an_encrypted_file_with_its_passphrase_only) {
    const auto folder = scratch();
    const auto path = folder.path() / "root-1.pem";
    const auto key = SigningKey::generate();
    const Secret passphrase("correct horse");
    const Secret too_short("7 bytes");
    EXPECT_EQ(key.save(path, &too_short).error().code(), ErrorCode::InvalidArgument);
    ASSERT_TRUE(key.save(path, &passphrase));
    const auto text = read_file(path, 10'000).value();
    EXPECT_TRUE(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms{0600});
    EXPECT_EQ(SigningKey::load(path, &passphrase)->public_key().value(), key.public_key().value());
    const Secret wrong("correct horsf");
    EXPECT_EQ(SigningKey::load(path).error().code(), ErrorCode::Unauthorized);
    EXPECT_EQ(SigningKey::load(path, &wrong).error().code(), ErrorCode::Unauthorized);
    // Another salt each time, and one passphrase for what is not encrypted does no harm.
    ASSERT_TRUE(key.save(folder.path() / "again.pem", &passphrase));
    EXPECT_NE(read_file(folder.path() / "again.pem", 10'000).value(), text);
    ASSERT_TRUE(key.save(folder.path() / "plain.pem"));
    EXPECT_TRUE(SigningKey::load(folder.path() / "plain.pem", &passphrase));
}

TEST(SigningKey, reads_a_seed_in_hex) {
    const auto folder = scratch();
    const auto path = folder.path() / "k";
    ASSERT_TRUE(write_file_atomically(path, as_bytes(std::string(kRfc8032[0].seed) + "\n"), 0600));
    EXPECT_EQ(SigningKey::load(path)->public_key().value(), kRfc8032[0].public_key);
}

TEST(SigningKey, refuses_a_file_that_others_may_read) {
    const auto folder = scratch();
    const auto path = folder.path() / "k";
    ASSERT_TRUE(write_file_atomically(path, as_bytes(kRfc8032[0].seed), 0640));
    const auto result = SigningKey::load(path);
    EXPECT_EQ(result.error().code(), ErrorCode::Refused);
    EXPECT_NE(result.error().message().find("chmod 600"), std::string::npos);
}

TEST(SigningKey, refuses_files_without_an_ed25519_private_key) {
    const auto folder = scratch();
    const auto path = folder.path() / "k";
    for (const auto* text : {"", "hello", kRsaKey, kEcdsaKey}) {
        ASSERT_TRUE(write_file_atomically(path, as_bytes(text), 0600));
        EXPECT_EQ(SigningKey::load(path).error().code(), ErrorCode::InvalidArgument) << text;
    }
    EXPECT_EQ(SigningKey::load(folder.path() / "absent").error().code(), ErrorCode::NotFound);
    EXPECT_EQ(SigningKey::from_seed(hex("00")).error().code(), ErrorCode::InvalidArgument);
}

} // namespace
} // namespace locara::crypto
