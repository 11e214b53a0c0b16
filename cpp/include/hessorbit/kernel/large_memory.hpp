// Memory for a large matrix, in pages of 2 MB where the system has them: to touch 10 MB for the first time then takes a
// tenth of the time, which is as long as all the arithmetic of a factorisation.
#pragma once

#include <cstddef>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace hessorbit {

class LargeMemory {
public:
    explicit LargeMemory(std::size_t count) {
        const std::size_t bytes = (count * sizeof(double) + page - 1) / page * page;
        large_ = bytes > page;
        data_ = static_cast<double*>(large_ ? ::operator new(bytes, std::align_val_t(page))
                                            : ::operator new(bytes, std::align_val_t(line)));
#if defined(__linux__)
        if (large_) madvise(data_, bytes, MADV_HUGEPAGE);  // no more than advice, so whether it is taken does not matter
#endif
    }
    LargeMemory(const LargeMemory&) = delete;
    ~LargeMemory() { ::operator delete(data_, std::align_val_t(large_ ? page : line)); }

    double* data() const { return data_; }

private:
    static constexpr std::size_t page = std::size_t(1) << 21, line = 64;

    bool large_;
    double* data_;
};

}  // namespace hessorbit
