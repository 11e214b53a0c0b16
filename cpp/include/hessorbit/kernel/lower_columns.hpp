// The lower triangle of a square matrix by columns, in little more than half the memory of the square.
//
// Columns of a group begin at the row where the group's first diagonal entry is, so that they have one stride. Rows are
// padded, and each column is at the same place within a SIMD vector as the rows of rows.hpp.
#pragma once

#include "large_memory.hpp"
#include "range.hpp"

#include <algorithm>
#include <vector>

namespace hessorbit {

class LowerColumns {
public:
    static constexpr Index group_columns = 64;  // a multiple of row_multiple

    explicit LowerColumns(Index size) : size_(size), offsets_(static_cast<std::size_t>(size)), memory_(lay_out()) {}

    Index size() const { return size_; }
    Index groups_from(Index column) const { return (size_ + group_columns - 1) / group_columns - column / group_columns; }

    Range group(Index g) const { return {g * group_columns, std::min(size_, (g + 1) * group_columns)}; }
    Index stride(Index g) const { return row_stride(size_ - g * group_columns); }

    // Column j from row 0 on, of which only those from the first row of its group on are there.
    double* column(Index j) { return memory_.data() + offsets_[static_cast<std::size_t>(j)]; }
    const double* column(Index j) const { return memory_.data() + offsets_[static_cast<std::size_t>(j)]; }

private:
    // Returns how many numbers all columns are.
    std::size_t lay_out() {
        Index total = 0;
        for (Index g = 0; g < groups_from(0); ++g)
            for (Index j = group(g).begin; j < group(g).end; ++j, total += stride(g))
                offsets_[static_cast<std::size_t>(j)] = total - group(g).begin;
        return static_cast<std::size_t>(total);
    }

    const Index size_;
    std::vector<Index> offsets_;
    const LargeMemory memory_;
};

}  // namespace hessorbit
