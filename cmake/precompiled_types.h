// Standard types that nearly every file uses, made complete once, in the precompiled header.
// Nothing includes it.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace millrace::precompiled {

template <typename... Types>
constexpr bool kComplete = (... &&
                            (sizeof(Types) > 0 && std::is_copy_constructible_v<Types> &&
                             std::is_copy_assignable_v<Types> &&
                             std::is_nothrow_move_constructible_v<Types> &&
                             std::is_move_assignable_v<Types> && std::is_destructible_v<Types>));

static_assert(
    kComplete<std::optional<std::string>, std::optional<std::string_view>, std::optional<size_t>,
              std::vector<std::string>, std::vector<std::string_view>,
              std::pair<std::string, std::string>, std::vector<std::pair<std::string, std::string>>,
              std::map<std::string, std::string>, std::set<std::string>>);

}  // namespace millrace::precompiled
