// OrderedBlocks: a sorted sequence that stays cheap to change when it grows large: entries lie in
// blocks of at most kBlockMax, so an insertion moves one block, not the whole sequence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace millrace::stream {

template <typename T>
class OrderedBlocks {
 public:
  // Behind entries that are equal to it. `less`: a strict weak order, always the same.
  template <typename Less>
  void Insert(const T& value, const Less& less) {
    size_++;
    if (blocks_.empty()) blocks_.emplace_back();
    // The last block that does not begin behind the value.
    auto behind = std::upper_bound(
        blocks_.begin() + 1, blocks_.end(), value,
        [&](const T& v, const std::vector<T>& block) { return less(v, block.front()); });
    std::vector<T>& block = *(behind - 1);
    block.insert(std::upper_bound(block.begin(), block.end(), value, less), value);
    if (block.size() > kBlockMax) Split(static_cast<size_t>(behind - 1 - blocks_.begin()));
  }

  // Takes out the first entry that is equal to `value`; false when there is none.
  template <typename Less>
  bool Take(const T& value, const Less& less, T& taken) {
    if (blocks_.empty()) return false;
    // The first block whose last entry is not before the value.
    auto holder = std::lower_bound(
        blocks_.begin(), blocks_.end(), value,
        [&](const std::vector<T>& block, const T& v) { return less(block.back(), v); });
    if (holder == blocks_.end()) return false;
    auto at = std::lower_bound(holder->begin(), holder->end(), value, less);
    if (at == holder->end() || less(value, *at)) return false;
    taken = *at;
    holder->erase(at);
    if (holder->empty()) blocks_.erase(holder);
    size_--;
    return true;
  }

  const T& back() const { return blocks_.back().back(); }
  T PopBack() {
    T value = back();
    blocks_.back().pop_back();
    if (blocks_.back().empty()) blocks_.pop_back();
    size_--;
    return value;
  }

  // In order, until `visit` answers false.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (const std::vector<T>& block : blocks_) {
      for (const T& value : block) {
        if (!visit(value)) return;
      }
    }
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr size_t kBlockMax = 512;

  void Split(size_t index) {
    std::vector<T>& block = blocks_[index];
    auto middle = block.begin() + static_cast<std::ptrdiff_t>(block.size() / 2);
    std::vector<T> upper(middle, block.end());
    block.erase(middle, block.end());
    blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(upper));
  }

  std::vector<std::vector<T>> blocks_;  // none empty
  size_t size_ = 0;
};

}  // namespace millrace::stream
