// The lower half of a symmetric matrix B of `bandwidth` diagonals below the main one, with room for as many again, which
// fill and empty while bulges are chased. Its blocks are those of a matrix in columns, `column_stride` apart.
#pragma once

#include "../kernel/unaligned.hpp"

#include <vector>

namespace hessorbit {

class Band {
public:
    static constexpr Index bandwidth = 16;
    static constexpr Index height = 2 * bandwidth + row_multiple;  // of what a column of B may fill
    static constexpr Index column_stride = height - 1;

    // Blocks that begin inside reach up to two bandwidths beyond, into zeros.
    explicit Band(Index size)
        : size_(size), entries_(static_cast<std::size_t>((size + 2 * bandwidth) * height), 0.0) {}

    Index size() const { return size_; }

    // Entry (i, j), i ≥ j − row_multiple: vectors that begin on the diagonal of a block reach above that of B.
    double* at(Index i, Index j) { return entries_.data() + j * height + row_multiple + i - j; }
    const double* at(Index i, Index j) const { return const_cast<Band*>(this)->at(i, j); }

private:
    Index size_;
    std::vector<double> entries_;
};

}  // namespace hessorbit
