// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/sealed_image.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/base/error_details.h"
#include "server/modules/reasons.h"
#include "server/modules/tests/test_files.h"

namespace probed::modules {
namespace {

using testing::AsBytes;
using ::testing::HasSubstr;
using testing::SealFile;
using testing::TempDir;
using testing::WriteFile;

TEST(SealedImage, HasContentAndDigestOfTheFile) {
  const TempDir dir;
  const std::string content = "abc";
  WriteFile(dir / "file", content);
  const SealedImage image = SealFile(dir / "file");
  EXPECT_EQ(image.size(), 3U);
  // FIPS 180-2, appendix B.1: the digest of "abc".
  EXPECT_EQ(image.sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const auto mapping = image.Map();
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(std::string(mapping->bytes().begin(), mapping->bytes().end()), content);
}

TEST(SealedImage, DoesNotChangeWithTheFile) {
  const TempDir dir;
  WriteFile(dir / "file", "first");
  const SealedImage image = SealFile(dir / "file");
  WriteFile(dir / "file", "other and longer");
  EXPECT_EQ(image.sha256(), Sha256Hex(AsBytes("first")));
  EXPECT_EQ(Sha256Hex(image.Map()->bytes()), image.sha256());
}

TEST(SealedImage, CannotBeWrittenGrownOrShrunk) {
  const TempDir dir;
  WriteFile(dir / "file", "content");
  const SealedImage image = SealFile(dir / "file");
  EXPECT_EQ(pwrite(image.fd(), "x", 1, 0), -1);
  EXPECT_EQ(ftruncate(image.fd(), 1), -1);
  EXPECT_EQ(ftruncate(image.fd(), 100), -1);
  EXPECT_EQ(mmap(nullptr, 1, PROT_WRITE, MAP_SHARED, image.fd(), 0), MAP_FAILED);
  EXPECT_EQ(fcntl(image.fd(), F_ADD_SEALS, F_SEAL_WRITE), -1) << "the seals themselves are sealed";
}

TEST(SealedImage, TakesAnEmptyFile) {
  const TempDir dir;
  WriteFile(dir / "file", "");
  const SealedImage image = SealFile(dir / "file");
  EXPECT_EQ(image.size(), 0U);
  EXPECT_TRUE(image.Map()->bytes().empty());
}

TEST(SealedImage, RefusesFilesThatAreTooLarge) {
  const TempDir dir;
  WriteFile(dir / "file", std::string(101, 'x'));
  const Fd file(open((dir / "file").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(SealedImage::Copy(file.get(), "m", 101).ok());
  const auto refused = SealedImage::Copy(file.get(), "m", 100);
  EXPECT_EQ(GetErrorDetails(refused.status()).reason, kModuleCorrupt);
  EXPECT_THAT(std::string(Message(refused.status())), HasSubstr("larger than 100 bytes"));
}

TEST(SealedImage, ReportsFilesThatCannotBeRead) {
  const Fd directory(open("/", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(GetErrorDetails(SealedImage::Copy(directory.get(), "m").status()).reason, kModuleUnreadable);
}

}  // namespace
}  // namespace probed::modules
