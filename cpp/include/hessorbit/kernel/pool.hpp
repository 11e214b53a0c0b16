// The threads that help those which call the core.
//
// A caller posts its job, works on it by itself, and helpers claim what is left (job.hpp). A helper that has not begun
// when all is claimed finds nothing, and nobody has waited for it: on a busy machine a call takes about as long as on
// one thread. Waiting blocks, after a spin so short that it keeps nobody from a core. Threads that cannot be started are
// done without. After a fork the child has a pool of its own, whose threads start when they are needed.
#pragma once

#include "job.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if __has_include(<pthread.h>) && __has_include(<signal.h>)
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
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

// Waits for a condition that is likely to hold in a moment.
template <class Condition>
void spin(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(20);
    do {
        for (int i = 0; i < 16; ++i) {
            if (condition()) return;
            pause_briefly();
        }
    } while (std::chrono::steady_clock::now() < end);
}

// Locks what others hold for moments. They need not be woken by the system, which takes longer than their work.
inline void lock_soon(std::unique_lock<std::mutex>& lock) {
    for (int i = 0; i < 100; ++i) {
        if (lock.try_lock()) return;
        pause_briefly();
    }
    lock.lock();
}

// How often the current thread has lost its core to another, where the system tells.
inline long preemptions() {
#if defined(RUSAGE_THREAD)
    rusage usage{};
    if (getrusage(RUSAGE_THREAD, &usage) == 0) return usage.ru_nivcsw;
#endif
    return 0;
}

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
        const long preemptions = detail::preemptions();
        Lock lock(mutex_, std::defer_lock);
        detail::lock_soon(lock);
        hire(job.threads() - 1);
        if (start < alone_until_)
            job.leave_at = start + alone_at_first;
        else
            post(job);
        while (!job.over()) {
            if (!visit(job, lock, false))
                wait(job, lock);
            else if (job.leave_at && Clock::now() >= *job.leave_at)
                post(job);
        }
        if (!job.leave_at) {
            jobs_.erase(std::find(jobs_.begin(), jobs_.end(), &job));
            if (detail::preemptions() != preemptions) be_alone();
        }
        lock.unlock();
        job.finish();
    }

    // The life of a helper.
    [[noreturn]] void help() {
        detail::current_call.asks = false;
        long preemptions = detail::preemptions();
        Lock lock(mutex_);
        for (;;) {
            bool worked = false;
            while (Job* job = open_job()) worked |= visit(*job, lock, true);
            const std::uint64_t seen = posts_;
            if (worked) {
                lock.unlock();
                detail::spin([&] { return posts_.load(std::memory_order_relaxed) != seen; });
                const long before = std::exchange(preemptions, detail::preemptions());
                detail::lock_soon(lock);
                if (preemptions != before) be_alone();
            }
            ++asleep_;
            posted_.wait(lock, [&] { return posts_ != seen; });
            --asleep_;
        }
    }

private:
    using Clock = std::chrono::steady_clock;

    // Where a caller or a helper loses its core, others want the cores too, or both are on one: a helper may keep its
    // caller waiting in the middle of a part, or take the core that its caller runs on, for milliseconds. After that, for
    // a while, jobs begin alone, and only those that take longer are posted. If a core is lost again soon after, the while
    // doubles: an idle machine has both cores back in a moment, and a busy one is seldom tried.
    static constexpr std::chrono::microseconds alone_at_first{300}, soon{10000};
    static constexpr std::chrono::microseconds shortest_alone{1000}, longest_alone{32000};

    void be_alone() {
        const Clock::time_point now = Clock::now();
        const bool again = now < alone_until_ + soon;
        alone_for_ = again ? std::min<Clock::duration>(2 * alone_for_, longest_alone) : shortest_alone;
        alone_until_ = now + alone_for_;
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
        while (!job.changed.wait_for(lock, std::chrono::milliseconds(50), ready)) {
            lock.unlock();
            job.ask();
            lock.lock();
        }
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
    std::condition_variable posted_;
    std::vector<Job*> jobs_;
    std::atomic<std::uint64_t> posts_{0};  // grows when there is something new to claim
    std::atomic<int> asleep_{0};
    int helpers_ = 0;
    Clock::time_point next_start_{}, alone_until_{};
    Clock::duration alone_for_{};
};

}  // namespace hessorbit
