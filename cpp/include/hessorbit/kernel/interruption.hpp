// How long calls are given up: the thread that called the core asks now and then whether it should go on, by a question
// that whoever embeds the core sets (Python's signals), and the threads that help it look at the flag it then raises.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>

namespace hessorbit {

// Thrown by calls that were given up. What they were to write holds nothing of use; all else is as before.
struct Interrupted : std::exception {
    const char* what() const noexcept override { return "interrupted"; }
};

// Whether the calling thread should give up; null if there is nobody to ask.
inline std::atomic<bool (*)()> interruption_question{nullptr};

namespace detail {

// What the current thread works for.
struct CurrentCall {
    std::atomic<bool>* stop = nullptr;  // raised where the call is given up
    bool asks = true;                   // helpers do not
    std::chrono::steady_clock::time_point next{};
};

inline thread_local CurrentCall current_call;

}  // namespace detail

// Whether work should end here. The question may be dear, so it is asked every 50 ms at most.
inline bool should_stop() {
    detail::CurrentCall& call = detail::current_call;
    if (call.stop && call.stop->load(std::memory_order_relaxed)) return true;
    if (!call.asks) return false;
    const auto now = std::chrono::steady_clock::now();
    if (now < call.next) return false;
    call.next = now + std::chrono::milliseconds(50);
    const auto question = interruption_question.load();
    if (!question || !question()) return false;
    if (call.stop) *call.stop = true;
    return true;
}

// For loops within a part of work that may take long.
inline void stop_if_interrupted() {
    if (should_stop()) throw Interrupted();
}

}  // namespace hessorbit
