// OrderedBlocks: a sorted sequence that stays cheap to change when it grows large: entries lie in
// blocks of at most kBlockMax, so an insertion moves one block, not the whole sequence. A single
// entry, which is all that most sequences ever hold, needs no block.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

namespace millrace::stream {

template <typename T>
class OrderedBlocks {
 public:
  // Behind entries that are equal to it. `less`: a strict weak order, always the same.
  template <typename Less>
  void Insert(const T& value, const Less& less) {
    if (size_++ == 0) {
      only_ = value;
      return;
    }
    if (!blocks_) blocks_ = std::make_unique<Blocks>(1, Block{only_});
    // The last block that does not begin behind the value.
    auto behind =
        std::upper_bound(blocks_->begin() + 1, blocks_->end(), value,
                         [&](const T& v, const Block& block) { return less(v, block.front()); });
    Block& block = *(behind - 1);
    block.insert(std::upper_bound(block.begin(), block.end(), value, less), value);
    if (block.size() > kBlockMax) Split(static_cast<size_t>(behind - 1 - blocks_->begin()));
  }

  // Takes out the first entry that is equal to `value`; false when there is none.
  template <typename Less>
  bool Take(const T& value, const Less& less, T& taken) {
    if (size_ == 0) return false;
    if (!blocks_) {
      if (less(only_, value) || less(value, only_)) return false;
      taken = only_;
      size_ = 0;
      return true;
    }
    // The first block whose last entry is not before the value.
    auto holder =
        std::lower_bound(blocks_->begin(), blocks_->end(), value,
                         [&](const Block& block, const T& v) { return less(block.back(), v); });
    if (holder == blocks_->end()) return false;
    auto at = std::lower_bound(holder->begin(), holder->end(), value, less);
    if (at == holder->end() || less(value, *at)) return false;
    taken = *at;
    holder->erase(at);
    if (holder->empty()) blocks_->erase(holder);
    Shrink();
    return true;
  }

  const T& back() const { return blocks_ ? blocks_->back().back() : only_; }
  T PopBack() {
    T value = back();
    if (!blocks_) {
      size_ = 0;
      return value;
    }
    blocks_->back().pop_back();
    if (blocks_->back().empty()) blocks_->pop_back();
    Shrink();
    return value;
  }

  // In order, until `visit` answers false.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    if (!blocks_) {
      if (size_ == 1) visit(only_);
      return;
    }
    for (const Block& block : *blocks_) {
      for (const T& value : block) {
        if (!visit(value)) return;
      }
    }
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  using Block = std::vector<T>;
  using Blocks = std::vector<Block>;
  static constexpr size_t kBlockMax = 512;

  // One entry fewer.
  void Shrink() {
    if (--size_ > 1) return;
    only_ = blocks_->front().front();
    blocks_.reset();
  }

  void Split(size_t index) {
    Block& block = (*blocks_)[index];
    auto middle = block.begin() + static_cast<std::ptrdiff_t>(block.size() / 2);
    Block upper(middle, block.end());
    block.erase(middle, block.end());
    blocks_->insert(blocks_->begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(upper));
  }

  T only_ = {};                     // the one entry, while there are no blocks
  std::unique_ptr<Blocks> blocks_;  // of two entries and more; none of them empty
  size_t size_ = 0;
};

}  // namespace millrace::stream
