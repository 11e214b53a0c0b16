// Where a helper that is awake takes a job from a caller's hand, without a lock and with its first part: a store that
// the other core sees, twice, is all that a job costs.
//
//     away ⇄ ready → reserved → offered → taken (→ awaited) → ready
//                                  └→ ready, where the caller takes the offer back
#pragma once

#include "job.hpp"

#include <atomic>
#include <cstdint>
#include <optional>

namespace hessorbit {

class alignas(128) Handover {
public:
    struct Offer {
        Job* job;
        Part first;  // whose index is the helper's rank, too
    };

    // By callers.

    bool ready() const { return state_.load(std::memory_order_relaxed) == is_ready; }

    // Whether the helper may take the job from here on.
    bool offer(Job& job, Part first) {
        if (!change(is_ready, is_reserved)) return false;
        first_ = first;
        state_.store(address(job), std::memory_order_release);
        return true;
    }

    // False if the helper has taken the job.
    bool withdraw(Job& job) { return change(address(job), is_ready); }

    // Whether the helper is at work on a job that it has taken.
    bool works_on(Job& job) const {
        return (state_.load(std::memory_order_acquire) | awaited) == (address(job) | taken | awaited);
    }

    // The same, and lets the helper know that somebody sleeps until it is done.
    bool await(Job& job) {
        change(address(job) | taken, address(job) | taken | awaited);
        return works_on(job);
    }

    // By the helper.

    void open() { state_.store(is_ready, std::memory_order_release); }

    // Whether the helper may go: nothing is being offered.
    bool close() { return change(is_ready, is_away); }

    std::optional<Offer> take() {
        const std::uintptr_t at = state_.load(std::memory_order_acquire);
        if (at <= is_reserved || !change(at, at | taken)) return {};
        return Offer{reinterpret_cast<Job*>(at), first_};
    }

    // Whether somebody sleeps until the job is done. The job is not touched any more.
    bool finish() { return state_.exchange(is_ready, std::memory_order_acq_rel) & awaited; }

private:
    static constexpr std::uintptr_t is_away = 0, is_ready = 4, is_reserved = 8;  // no job's addresses
    static constexpr std::uintptr_t taken = 1, awaited = 2;                      // beside the address of a job

    static std::uintptr_t address(Job& job) { return reinterpret_cast<std::uintptr_t>(&job); }

    bool change(std::uintptr_t from, std::uintptr_t to) {
        return state_.compare_exchange_strong(from, to, std::memory_order_acq_rel, std::memory_order_relaxed);
    }

    std::atomic<std::uintptr_t> state_{is_away};
    Part first_{};
};

}  // namespace hessorbit
