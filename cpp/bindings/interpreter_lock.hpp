// The interpreter's lock, which calls let go of while the core works.
//
// Daemon threads may be inside such calls when the program ends. Until Python 3.14, one that then asks for the lock is
// unwound from there, through destructors that must not throw, and the process aborts. So once the program ends, which is
// told by atexit, threads other than the one that ends it wait for good, as they do from 3.14 on. Those that had begun to ask
// before are let through first.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace hessorbit::bindings {

// Of this module.
class ProgramEnd {
public:
    // Whether the current thread may ask for the lock; then it is to say so when it has it.
    static bool enter() {
        ++entering_;
        if (!began_ || std::this_thread::get_id() == ending_) return true;
        --entering_;
        return false;
    }
    static void entered() { --entering_; }

    static void watch() {
        pybind11::module_::import("atexit").attr("register")(pybind11::cpp_function(&begin));
    }

private:
    static void begin() {
        ending_ = std::this_thread::get_id();
        began_ = true;
        const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(1);
        while (entering_ > 0 && std::chrono::steady_clock::now() < patience) {
            const pybind11::gil_scoped_release release;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }

    static inline std::atomic<bool> began_{false};
    static inline std::atomic<int> entering_{0};
    static inline std::thread::id ending_;  // written before `began_`
};

// Lets go of the lock, which the current thread has, until the end of a block.
class LockReleased {
public:
    LockReleased() : state_(PyEval_SaveThread()) {}
    LockReleased(const LockReleased&) = delete;
    ~LockReleased() {
        if (!ProgramEnd::enter())
            for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
        PyEval_RestoreThread(state_);
        ProgramEnd::entered();
    }

private:
    PyThreadState* const state_;
};

}  // namespace hessorbit::bindings
