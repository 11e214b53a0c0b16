// Work cut into parts, which threads claim one at a time.
//
// Pieces come in phases: those of a phase may be done at once and in any order, and a phase begins when the one before
// it is done. How work is cut depends on shapes alone, and each number is made by one part in a fixed order, so results
// have the same bits whichever thread takes which part.
//
// A thread enters a job with a part that it has claimed, and leaves where the phase has none left. So a phase is done
// once nothing is left to claim and nobody is inside, and nobody inside ever waits.
#pragma once

#include "interruption.hpp"
#include "rows.hpp"

#include <bitset>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

namespace hessorbit {

struct Part {
    int phase;
    Index index;
};

class Job;

// The parts that one thread takes, a range to loop over. While it does, no other thread has the same rank.
class Share {
public:
    Share(Job& job, int rank, Part first) : rank(rank), job_(job), part_(first) {}

    struct End {};
    struct Iterator {
        Share& share;
        bool done = false;

        Part operator*() const { return share.part_; }
        inline Iterator& operator++();
        bool operator!=(End) const { return !done; }
    };
    Iterator begin() { return {*this}; }
    End end() const { return {}; }

    const int rank;  // 0 for the thread that called, below the number of threads for all

private:
    Job& job_;
    Part part_;
};

class alignas(64) Job {
public:
    static constexpr int most_threads = 1024;

    // parts(work, phase) and body(work, share), which loops over the share, for a `work` that both know.
    Job(int threads, int phases, void* work, Index (*parts)(void*, int), void (*body)(void*, Share&))
        : threads_(std::min(threads, most_threads)), phases_(phases), work_(work), parts_(parts), body_(body),
          stop_(detail::current_call.stop ? *detail::current_call.stop : own_stop_) {
        open(0);
    }

    int threads() const { return threads_; }

    // Who calls enter, leave, over and free_seats holds the lock of the pool.

    // Pieces of the current phase that nobody has claimed.
    Index left() const {
        const auto [phase, index] = unpack(next_.load(std::memory_order_acquire));
        return phase == phases_ || failed_.load(std::memory_order_relaxed) || stop_.load(std::memory_order_relaxed)
                   ? 0
                   : parts_(work_, phase) - index;
    }

    std::optional<Part> claim() {
        std::uint64_t at = next_.load(std::memory_order_acquire);
        for (;;) {
            const Part part = unpack(at);
            if (part.phase == phases_ || part.index >= parts_(work_, part.phase)) return {};
            if (next_.compare_exchange_weak(at, at + 1, std::memory_order_acq_rel)) return part;
        }
    }

    int inside() const { return inside_.load(std::memory_order_acquire); }

    // Seats for helpers; the thread that called keeps seat 0, inside or not.
    int free_seats() const { return threads_ - 1 - helpers_; }

    // The seat taken, which is the rank.
    int enter(bool helps) {
        ++inside_;
        if (!helps) return 0;
        ++helpers_;
        int rank = 1;
        while (seats_[rank]) ++rank;
        seats_[rank] = true;
        return rank;
    }

    // Whether that ended a phase, or the job.
    bool leave(int rank) {
        if (rank > 0) seats_[rank] = false, --helpers_;
        if (--inside_ > 0 || left() > 0) return false;
        if (unpack(next_).phase < phases_) end_phase();
        return true;
    }

    bool over() const { return inside_ == 0 && (given_up() || unpack(next_).phase == phases_); }

    // Does parts from `first` on, until the phase has none left.
    void work(int rank, Part first) noexcept {
        std::atomic<bool>* const enclosing = std::exchange(detail::current_call.stop, &stop_);
        try {
            Share share(*this, rank, first);
            body_(work_, share);
        } catch (...) {
            if (!failed_.exchange(true)) failure_ = std::current_exception();
        }
        detail::current_call.stop = enclosing;
    }

    // While no thread is inside: how many parts of the current phase may be dealt out to helpers, one to each, where the
    // thread that called keeps one.
    Index to_deal() const { return std::min<Index>(threads_ - 1, left() - 1); }

    // Lets parts 0 … count of the current phase, of which none is claimed, count as claimed, and says which phase it is.
    int deal(Index count) {
        const std::uint64_t at = next_.load(std::memory_order_relaxed);
        next_.store(at + static_cast<std::uint64_t>(count + 1), std::memory_order_release);
        return unpack(at).phase;
    }

    // Ends the current phase, all of whose parts are done.
    void end_phase() {
        if (!given_up()) open(unpack(next_).phase + 1);
    }

    bool given_up() const { return failed_ || stop_; }

    // All of it by the thread that called.
    void run_alone() {
        while (!over()) {
            work(enter(false), *claim());
            leave(0);
        }
        finish();
    }

    // Asks on behalf of the job whether it should go on.
    void ask() {
        std::atomic<bool>* const enclosing = std::exchange(detail::current_call.stop, &stop_);
        should_stop();
        detail::current_call.stop = enclosing;
    }

    // Throws what a part threw, or Interrupted.
    void finish() const {
        if (failure_) std::rethrow_exception(failure_);
        if (stop_) throw Interrupted();
    }

    // Another part, unless the job is given up, or the thread that called is to leave at a time that has come.
    std::optional<Part> next() {
        if (left() == 0 || should_stop()) return {};
        if (leave_at && std::chrono::steady_clock::now() >= *leave_at) return {};
        return claim();
    }

    std::optional<std::chrono::steady_clock::time_point> leave_at;  // set only while the job is not posted

    std::condition_variable changed;  // for the thread that called, when it has nothing to do

private:
    static constexpr int index_bits = 40;

    static Part unpack(std::uint64_t at) {
        return {static_cast<int>(at >> index_bits), static_cast<Index>(at & ((std::uint64_t(1) << index_bits) - 1))};
    }

    void open(int phase) {
        while (phase < phases_ && parts_(work_, phase) == 0) ++phase;
        next_.store(static_cast<std::uint64_t>(phase) << index_bits, std::memory_order_release);
    }

    const int threads_, phases_;
    void* const work_;
    Index (*const parts_)(void*, int);
    void (*const body_)(void*, Share&);
    std::atomic<std::uint64_t> next_{0};  // phase and part to claim next
    std::atomic<int> inside_{0};
    std::bitset<most_threads> seats_;
    int helpers_ = 0;
    std::atomic<bool> failed_{false}, own_stop_{false};
    std::atomic<bool>& stop_;
    std::exception_ptr failure_;
};

inline Share::Iterator& Share::Iterator::operator++() {
    const std::optional<Part> next = share.job_.next();
    if (next)
        share.part_ = *next;
    else
        done = true;
    return *this;
}

}  // namespace hessorbit
