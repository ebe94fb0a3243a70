// FrameWriter: puts a frame into a client's connection.
//
// Contract: one thread, the connection's. One Write at a time; the frame and the writer live until
// `done`. Parts of files go from the page cache into a plain socket without passing through this
// process (sendfile); into TLS, and from files without a descriptor, piece by piece, so that memory
// does not follow the size of an answer.
#pragma once

#include <functional>
#include <string>

#include "kafka/frame.h"
#include "kafka/transport.h"

namespace millrace::kafka {

class FrameWriter {
 public:
  // `written` false: the client is gone, or `fault` says what failed here.
  using Done = std::function<void(bool written, const std::string& fault)>;

  explicit FrameWriter(Transport& transport) : transport_(transport) {}

  void Write(const Frame& frame, Done done);

 private:
  void Next();
  void SendFile();
  void SendCopy();
  void End(bool written, const std::string& fault);
  const log::BatchSlice& batches() const { return frame_->slices[slice_].batches; }

  Transport& transport_;
  const Frame* frame_ = nullptr;
  Done done_;
  size_t at_ = 0;     // bytes of the frame that are written
  size_t slice_ = 0;  // the next one
  int64_t sent_ = 0;  // bytes of it that are written
  std::string piece_;
};

}  // namespace millrace::kafka
