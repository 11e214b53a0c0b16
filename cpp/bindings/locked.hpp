// An object that several threads may call: they wait for each other, without the interpreter's lock.
#pragma once

#include "bindings.hpp"

#include <mutex>
#include <utility>

namespace hessorbit::bindings {

template <class Core>
class Locked {
public:
    template <class... Arguments>
    explicit Locked(Arguments&&... arguments) : core_(std::forward<Arguments>(arguments)...) {}

    // use(core), which must not touch Python's objects.
    template <class Use>
    auto locked(Use use) {
        const LockReleased released;
        const std::lock_guard<std::mutex> lock(mutex_);
        return use(core_);
    }

    // For what never changes.
    const Core& core() const { return core_; }

private:
    Core core_;
    std::mutex mutex_;
};

}  // namespace hessorbit::bindings
