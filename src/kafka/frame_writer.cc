#include "kafka/frame_writer.h"

#include <sys/sendfile.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <system_error>

namespace millrace::kafka {

namespace {

constexpr int64_t kPieceBytes = 256 << 10;
// Other connections of the thread get their turn.
constexpr int64_t kTurnBytes = 8 << 20;

}  // namespace

void FrameWriter::Write(const Frame& frame, Done done) {
  frame_ = &frame;
  done_ = std::move(done);
  at_ = slice_ = 0;
  sent_ = 0;
  Next();
}

void FrameWriter::Next() {
  const bool more = slice_ < frame_->slices.size();
  const size_t end = more ? frame_->slices[slice_].at : frame_->bytes.size();
  if (at_ < end) {
    transport_.Write(boost::asio::buffer(frame_->bytes.data() + at_, end - at_),
                     [this, end](const boost::system::error_code& error, size_t) {
                       if (error) return End(false, "");
                       at_ = end;
                       Next();
                     });
  } else if (!more) {
    End(true, "");
  } else if (sent_ == batches().bytes) {
    slice_++;
    sent_ = 0;
    Next();
  } else if (transport_.is_tls() || batches().file->descriptor() < 0) {
    SendCopy();
  } else {
    SendFile();
  }
}

void FrameWriter::SendFile() {
  const log::BatchSlice& slice = batches();
  const int socket = transport_.socket().native_handle();
  const int64_t stop = std::min(slice.bytes, sent_ + kTurnBytes);
  while (sent_ < stop) {
    off_t position = slice.position + sent_;
    const ssize_t n =
        sendfile(socket, slice.file->descriptor(), &position, static_cast<size_t>(stop - sent_));
    if (n > 0) {
      sent_ += n;
    } else if (n == 0) {
      return End(false, "a file of the log is shorter than it was");
    } else if (errno == EAGAIN) {
      break;
    } else if (errno == EIO) {
      return End(false, "reading the log: " + std::generic_category().message(errno));
    } else if (errno != EINTR) {
      return End(false, "");
    }
  }
  if (sent_ == slice.bytes) return Next();
  transport_.WaitWritable([this](const boost::system::error_code& error) {
    if (error) return End(false, "");
    SendFile();
  });
}

void FrameWriter::SendCopy() {
  const log::BatchSlice& slice = batches();
  piece_.resize(static_cast<size_t>(std::min(kPieceBytes, slice.bytes - sent_)));
  const auto got = slice.file->ReadAt(slice.position + sent_, piece_.data(), piece_.size());
  if (!got.ok()) return End(false, got.status().ToString());
  if (*got < piece_.size()) return End(false, "a file of the log is shorter than it was");
  transport_.Write(boost::asio::buffer(piece_),
                   [this](const boost::system::error_code& error, size_t count) {
                     if (error) return End(false, "");
                     sent_ += static_cast<int64_t>(count);
                     Next();
                   });
}

void FrameWriter::End(bool written, const std::string& fault) {
  piece_ = std::string();
  // `done` may begin the next frame, or be the last to hold this.
  const Done done = std::move(done_);
  done_ = nullptr;
  done(written, fault);
}

}  // namespace millrace::kafka
