// The threads that help those which call the core.
//
// A caller posts its job, works on it by itself, and helpers claim what is left (job.hpp). A helper that has not begun
// when all is claimed finds nothing, and nobody has waited for it: on a busy machine a call takes about as long as on
// one thread. Waiting blocks, after a spin so short that it keeps nobody from a core. While helpers spin, they take jobs
// from the hand (handover.hpp); what a helper has not taken when the caller is through with its own part, the caller takes
// back. Threads that cannot be started are done without. After a fork the child has a pool of its own, whose threads
// start when they are needed.
#pragma once

#include "handover.hpp"
#include "job.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if __has_include(<pthread.h>) && __has_include(<signal.h>)
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#define HESSORBIT_POSIX_THREADS
#endif

namespace hessorbit {

namespace detail {

inline void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#else
    std::this_thread::yield();
#endif
}

// Waits for a condition that is likely to hold in a moment; says whether it does.
template <class Condition>
bool spin(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(20);
    do {
        for (int i = 0; i < 16; ++i) {
            if (condition()) return true;
            pause_briefly();
        }
    } while (std::chrono::steady_clock::now() < end);
    return false;
}

// Locks what others hold for moments. They need not be woken by the system, which takes longer than their work.
inline void lock_soon(std::unique_lock<std::mutex>& lock) {
    for (int i = 0; i < 100; ++i) {
        if (lock.try_lock()) return;
        pause_briefly();
    }
    lock.lock();
}

// For how long the current thread has waited for a core that another took, where the system tells: Linux counts waiting in
// schedstat, which takes microseconds to read, and getrusage tells in 0.2 µs whether there was any. The time that getrusage
// gives is not used, as a thread that runs gets its due at the system's ticks alone. That takes as long as handing over a
// job, so it is asked every 50 µs at most.
class CoreWatch {
public:
    using Clock = std::chrono::steady_clock;

    // Forgets what was before, or what was more than 50 µs ago.
    void start(Clock::time_point now) {
        if (now - looked_ > interval) look(now);
    }

    // Forgets what was before: the thread has blocked, and time without a core was its own wish.
    void start_anew() { look(Clock::now()); }

    // Since it was asked or started last.
    Clock::duration lost(Clock::time_point now) {
        return now - looked_ > interval ? look(now) : Clock::duration::zero();
    }

private:
    static constexpr std::chrono::microseconds interval{50};

    Clock::duration look([[maybe_unused]] Clock::time_point now) {
#if defined(RUSAGE_THREAD)
        rusage usage{};
        if (getrusage(RUSAGE_THREAD, &usage) != 0) return {};
        const Clock::duration since = now - std::exchange(looked_, now);
        if (std::exchange(preemptions_, usage.ru_nivcsw) != usage.ru_nivcsw) {
            const Clock::duration waiting = all_waiting();
            return std::clamp(waiting - std::exchange(waiting_, waiting), Clock::duration::zero(), since);
        }
#endif
        return {};
    }

#if defined(RUSAGE_THREAD)
    // In the thread's life: the second number of the file. Nothing is allocated.
    static Clock::duration all_waiting() {
        const int file = ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
        if (file < 0) return {};
        char text[64] = {};
        const bool known = ::read(file, text, sizeof text - 1) > 0;
        ::close(file);
        char* second = text;
        if (known) std::strtoull(text, &second, 10);
        return std::chrono::nanoseconds(std::strtoull(second, nullptr, 10));
    }
#endif

    Clock::time_point looked_{};
    [[maybe_unused]] Clock::duration waiting_{};
    [[maybe_unused]] long preemptions_ = 0;
};

inline thread_local CoreWatch core_watch;

// Until when jobs begin alone, after a caller or a helper lost its core.
//
// Others then want the cores too, or both are on one: a helper may keep its caller waiting in the middle of a part, or take
// the core that its caller runs on, for milliseconds. So for a while jobs begin alone, and only those that take longer are
// posted. The while is in proportion to what was lost, so that what wakes for microseconds many times a second, as daemons
// do, hardly counts. It doubles each time that help is lost again soon after it, up to a fortieth of the time that is lost
// beside a process that is always busy, and halves where it is not: what takes a core now and then costs little more.
class Solitude {
public:
    using Clock = CoreWatch::Clock;

    bool lasts(Clock::time_point now) const { return now < until_.load(std::memory_order_relaxed); }

    void begin(Clock::duration lost) {
        if (lost == Clock::duration::zero()) return;
        const std::lock_guard lock(mutex_);
        const Clock::time_point now = Clock::now(), before = until_.load(std::memory_order_relaxed);
        times_ = now - before < soon * length_ ? std::min(2 * times_, most) : std::max(times_ / 2, least);
        length_ = std::min<Clock::duration>(times_ * lost, longest);
        until_.store(std::max(before, now + length_), std::memory_order_relaxed);
    }

private:
    static constexpr int least = 2, most = 40, soon = 4;
    static constexpr std::chrono::milliseconds longest{100};

    std::mutex mutex_;
    int times_ = least;  // what was lost
    Clock::duration length_{};
    std::atomic<Clock::time_point> until_{};
};

}  // namespace detail

// Lives as long as the process, since helpers do.
class Pool {
    using Lock = std::unique_lock<std::mutex>;

public:
    using Start = bool (*)(Pool&);  // starts a thread that calls help(), or says that it could not

    explicit Pool(Start start = &start_thread) : start_(start) {}
    Pool(const Pool&) = delete;

    static Pool& shared() {
        Pool* pool = instance.load();
        if (!pool) {
            Pool* const made = new Pool;
            if (instance.compare_exchange_strong(pool, made)) return *made;
            delete made;
        }
        return *pool;
    }

    // Does all of a job.
    void run(Job& job) {
        const Clock::time_point start = Clock::now();
        detail::core_watch.start(start);
        if (!solitude_.lasts(start))
            while (!job.over() && hand_over(job)) {}
        if (!job.over()) queue(job, start);
        if (!job.leave_at) solitude_.begin(detail::core_watch.lost(Clock::now()));
        job.finish();
    }

    // The life of a helper.
    [[noreturn]] void help() {
        detail::current_call.asks = false;
        detail::core_watch.start_anew();
        Lock lock(mutex_);
        Handover* const own = next_handover_ < handovers_.size() ? &handovers_[next_handover_++] : nullptr;
        for (;;) {
            while (Job* job = open_job()) visit(*job, lock, true);
            const std::uint64_t seen = posts_;
            lock.unlock();
            stay_awake(own, seen);  // also where it came too late: the next call may be a moment away
            detail::lock_soon(lock);
            ++asleep_;
            posted_.wait(lock, [&] { return posts_ != seen; });
            --asleep_;
            detail::core_watch.start_anew();
        }
    }

private:
    using Clock = std::chrono::steady_clock;

    static constexpr std::chrono::microseconds alone_at_first{300};  // before a job is posted that begins alone
    static constexpr std::chrono::milliseconds patience{50};  // of callers who wait, before they ask whether to go on
    static constexpr std::size_t most_handovers = 63;

    // Does the current phase of a job with helpers that are awake, if there are enough of them.
    bool hand_over(Job& job) {
        const Index helpers = job.to_deal();
        std::array<Handover*, most_handovers> to;
        if (helpers > std::ssize(to)) return false;
        Index ready = 0;
        for (Index i = 0; ready < helpers && i < std::min<Index>(helpers_, std::ssize(to)); ++i)
            if (handovers_[i].ready()) to[ready++] = &handovers_[i];
        if (ready < helpers) return false;

        const int phase = job.deal(helpers);
        for (Index h = 0; h < helpers; ++h)
            if (!to[h]->offer(job, {phase, h + 1})) to[h] = nullptr;
        job.work(0, {phase, 0});
        for (Index h = 0; h < helpers; ++h)
            if (!to[h] || to[h]->withdraw(job)) {
                if (!job.given_up()) job.work(0, {phase, h + 1});
                to[h] = nullptr;
            }
        for (Index h = 0; h < helpers; ++h)
            if (to[h]) await(*to[h], job);
        job.end_phase();
        return true;
    }

    // Until a helper has done its part of a job.
    void await(Handover& helper, Job& job) {
        if (detail::spin([&] { return !helper.works_on(job); })) return;
        Lock lock(mutex_);
        while (helper.await(job))
            if (done_.wait_for(lock, patience) == std::cv_status::timeout) {
                lock.unlock();
                job.ask();
                lock.lock();
            }
        detail::core_watch.start_anew();
    }

    // Takes jobs from the hand of callers until some have been posted or there has been none for a while.
    void stay_awake(Handover* own, std::uint64_t seen) {
        if (own) own->open();
        for (;;) {
            std::optional<Handover::Offer> offer;
            detail::spin([&] {
                if (own) offer = own->take();
                return offer || posts_.load(std::memory_order_relaxed) != seen;
            });
            if (offer) {
                offer->job->work(static_cast<int>(offer->first.index), offer->first);
                if (own->finish()) {
                    const Lock lock(mutex_);
                    done_.notify_all();
                }
            }
            solitude_.begin(detail::core_watch.lost(Clock::now()));
            if (!offer && (!own || own->close())) return;
        }
    }

    // Does a job with helpers that have to be woken, or are at other jobs, or alone at first.
    void queue(Job& job, Clock::time_point start) {
        Lock lock(mutex_, std::defer_lock);
        detail::lock_soon(lock);
        hire(job.threads() - 1);
        if (solitude_.lasts(start))
            job.leave_at = start + alone_at_first;
        else
            post(job);
        while (!job.over()) {
            if (!visit(job, lock, false))
                wait(job, lock);
            else if (job.leave_at && Clock::now() >= *job.leave_at)
                post(job);
        }
        if (job.leave_at) return;
        jobs_.erase(std::find(jobs_.begin(), jobs_.end(), &job));
    }

    void post(Job& job) {
        job.leave_at.reset();
        jobs_.push_back(&job);
        ++posts_;
    }

    // Takes part in a job, if it has a part to claim. The lock is free meanwhile.
    bool visit(Job& job, Lock& lock, bool helps) {
        const std::optional<Part> part = job.left() > 0 ? job.claim() : std::nullopt;
        if (!part) return false;
        const int rank = job.enter(helps);
        const Index more = job.leave_at ? 0 : std::min<Index>(job.left(), job.free_seats());
        lock.unlock();
        wake(more);
        job.work(rank, *part);
        detail::lock_soon(lock);
        if (job.leave(rank)) {
            if (job.left() > 0) ++posts_;
            job.changed.notify_one();
        }
        return true;
    }

    void wake(Index threads) {
        for (Index woken = std::min<Index>(threads, asleep_.load()); woken > 0; --woken) posted_.notify_one();
    }

    // Until the job has parts again or is over. Helpers are in the middle of parts meanwhile.
    void wait(Job& job, Lock& lock) {
        lock.unlock();
        detail::spin([&] { return job.inside() == 0 || job.left() > 0; });
        detail::lock_soon(lock);
        const auto ready = [&] { return job.over() || job.left() > 0; };
        if (ready()) return;
        while (!job.changed.wait_for(lock, patience, ready)) {
            lock.unlock();
            job.ask();
            lock.lock();
        }
        detail::core_watch.start_anew();
    }

    Job* open_job() const {
        for (Job* job : jobs_)
            if (job->free_seats() > 0 && job->left() > 0) return job;
        return nullptr;
    }

    // Starts helpers until there are so many. Where that fails, it is tried again a second later.
    void hire(int helpers) {
        while (helpers_ < helpers) {
            const auto now = Clock::now();
            if (now < next_start_) return;
            if (start_(*this))
                ++helpers_;
            else
                next_start_ = now + std::chrono::seconds(1);
        }
    }

    static bool start_thread(Pool& pool) {
#if defined(HESSORBIT_POSIX_THREADS)
        // Signals are for the threads of the program.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
        bool started = true;
        try {
            std::thread([&pool] { pool.help(); }).detach();
        } catch (const std::system_error&) {
            started = false;
        }
#if defined(HESSORBIT_POSIX_THREADS)
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
        return started;
    }

    static void forget() { instance = nullptr; }

    static bool watch_forks() {
#if defined(HESSORBIT_POSIX_THREADS)
        return pthread_atfork(nullptr, nullptr, &forget) == 0;
#else
        return true;
#endif
    }

    static inline std::atomic<Pool*> instance{nullptr};
    static inline const bool watches_forks = watch_forks();

    const Start start_;
    std::mutex mutex_;
    std::condition_variable posted_, done_;
    std::array<Handover, most_handovers> handovers_;  // of the helpers in the order in which they began
    std::size_t next_handover_ = 0;
    std::vector<Job*> jobs_;
    std::atomic<std::uint64_t> posts_{0};  // grows when there is something new to claim
    std::atomic<int> asleep_{0};
    std::atomic<int> helpers_{0};
    Clock::time_point next_start_{};
    detail::Solitude solitude_;
};

}  // namespace hessorbit
