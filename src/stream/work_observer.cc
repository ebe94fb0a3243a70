#include "stream/work_observer.h"

namespace millrace::stream {

namespace {
thread_local WorkObserver* of_thread = nullptr;
}

WorkObserver* WorkObserver::OfThread() {
  return of_thread;
}

WorkObserver::Scope::Scope(WorkObserver* observer) : before_(of_thread) {
  of_thread = observer;
}

WorkObserver::Scope::~Scope() {
  of_thread = before_;
}

}  // namespace millrace::stream
