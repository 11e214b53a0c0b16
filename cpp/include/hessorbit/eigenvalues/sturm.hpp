// Eigenvalues of a symmetric tridiagonal matrix T, by the changes of sign of its leading minors, many at a time.
//
// With diagonal d and e beside it, the minors of T − x I are p_0 = 1, p_1 = d_0 − x and
//
//     p_{k+1} = (d_k − x) p_k − e_{k−1}² p_{k−1}
//
// and as many eigenvalues are below x as this sequence changes sign, whatever sign a zero is given (Sturm). Rounding
// changes each factor by a few units, so the count is that of a matrix T' with |T' − T| at most 8 u ‖T‖, entry by entry
// (J. H. Wilkinson, The Algebraic Eigenvalue Problem, chapter 5, section 41). ‖T‖ is scaled to 1 at most and |e| raised to
// u at least, which changes no eigenvalue by more than 2 u. Of two neighbours the larger then falls by 2⁻¹⁰⁸ a step at
// most, and grows to 3 times at most: brought back to about 1 every eighth step, they neither vanish nor overflow.
//
// A bracket with several eigenvalues is cut into one part more than there are. One with a single one is narrowed where the
// line through p_n at its ends is 0, as long as that keeps up with bisection (I. F. D. Oliveira and R. H. C. Takahashi, "An
// enhancement of the bisection method average performance preserving minmax optimality", ACM TOMS 47 (2020)). About 15
// evaluations of the sequence find an eigenvalue, 12 where many are closer than rounding, and up to 40 where their sizes differ
// widely, in place of 45: 15 n²/lanes steps, shared among threads by eigenvalues. LAPACK's dsterf is
// sequential, and its errors are tens of eps ‖T‖ where these are one.
#pragma once

#include "../kernel/team.hpp"
#include "../kernel/unaligned.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace hessorbit {

class Tridiagonal {
public:
    // diagonal (n), beside (n − 1)
    Tridiagonal(std::vector<double> diagonal, const std::vector<double>& beside)
        : diagonal_(std::move(diagonal)), squares_(diagonal_.size()) {
        const double largest = norm(beside);
        if (largest == 0) return;
        scale_ = std::ldexp(1.0, std::ilogb(largest) + 1);
        for (double& each : diagonal_) each /= scale_;
        for (std::size_t k = 1; k < diagonal_.size(); ++k) {
            const double e = std::max(std::abs(beside[k - 1]) / scale_, unit);
            squares_[k] = e * e;
        }
    }

    // Ascending.
    std::vector<double> eigenvalues(int threads) const {
        if (scale_ == 0) return diagonal_;
        const std::vector<Minor> grid = evaluate_on_grid(threads);
        std::vector<double> values(diagonal_.size());
        share_parts(threads, parts(size()), [&](Share& share) {
            for (const Part part : share) find(part.index * shifts, grid, values);
        });
        std::sort(values.begin(), values.end());  // equal but for rounding they may be in any order
        return values;
    }

private:
    static constexpr int vectors = 4, shifts = vectors * lane_count;
    static constexpr double unit = 0x1p-53, narrow = 2 * unit;

    // At x: p_n is value · 2^exponent, and `below` eigenvalues are below.
    struct Minor {
        double x, value;
        std::int64_t exponent, below;
    };

    // Of an eigenvalue, the only one inside if counts differ by one; `allowed` is what bisection would have reached.
    struct Bracket {
        Minor low, high;
        double allowed = 0, start = 0;

        double width() const { return high.x - low.x; }
        bool isolates() const { return high.below - low.below == 1; }
    };

    Index size() const { return static_cast<Index>(diagonal_.size()); }

    static Index parts(Index count) { return (count + shifts - 1) / shifts; }

    // Not below any eigenvalue's magnitude (Gershgorin).
    double norm(const std::vector<double>& beside) const {
        double result = 0;
        for (std::size_t k = 0; k < diagonal_.size(); ++k) {
            const double before = k ? std::abs(beside[k - 1]) : 0, after = k < beside.size() ? std::abs(beside[k]) : 0;
            result = std::max(result, std::abs(diagonal_[k]) + before + after);
        }
        return result;
    }

    // At equal distances from −1 to 1, twice as many as there are eigenvalues.
    std::vector<Minor> evaluate_on_grid(int threads) const {
        const Index count = parts(2 * size()) * shifts;
        std::vector<Minor> grid(static_cast<std::size_t>(count));
        const double step = 2.0 / static_cast<double>(count - 1);
        for (Index i = 0; i < count; ++i) grid[static_cast<std::size_t>(i)].x = -1 + step * static_cast<double>(i);
        share_parts(threads, parts(count), [&](Share& share) {
            for (const Part part : share) evaluate(&grid[static_cast<std::size_t>(part.index * shifts)]);
        });
        grid.front().below = 0, grid.back().below = size();
        return grid;
    }

    // Eigenvalues first … first + shifts − 1, if there are so many.
    void find(Index first, const std::vector<Minor>& grid, std::vector<double>& values) const {
        std::array<Bracket, shifts> brackets;
        for (int i = 0; i < shifts; ++i) {
            const auto above = std::upper_bound(grid.begin(), grid.end(), std::min(first + i, size() - 1),
                                                [](Index rank, const Minor& at) { return rank < at.below; });
            brackets[i].low = above[-1], brackets[i].high = *above;
        }
        std::array<Minor, shifts> minors;
        for (bool done = false; !done;) {
            for (int i = 0; i < shifts;) i = choose(brackets, i, minors);
            evaluate(minors.data());
            for (int i = 0; i < shifts;) i = narrow_down(brackets, i, minors, first);
            done = std::all_of(brackets.begin(), brackets.end(), [](const Bracket& b) { return b.width() <= narrow; });
        }
        for (Index i = 0; i < std::min<Index>(shifts, size() - first); ++i) {
            const Bracket& bracket = brackets[static_cast<std::size_t>(i)];
            values[static_cast<std::size_t>(first + i)] = scale_ * (bracket.low.x + bracket.width() / 2);
        }
    }

    // The end of those from i on that are one bracket, as several eigenvalues are in it.
    static int end_of_equal(const std::array<Bracket, shifts>& brackets, int i) {
        const double low = brackets[i].low.x;
        while (++i < shifts && brackets[i].low.x == low) {}
        return i;
    }

    // Where to evaluate next, for those: side by side in their bracket, or one for one eigenvalue.
    static int choose(std::array<Bracket, shifts>& brackets, int begin, std::array<Minor, shifts>& minors) {
        const int end = end_of_equal(brackets, begin);
        if (end == begin + 1) {
            minors[begin].x = next(brackets[begin]);
        } else {
            const double low = brackets[begin].low.x, part = brackets[begin].width() / (end - begin + 1);
            for (int i = begin; i < end; ++i) minors[i].x = low + part * (i - begin + 1);
        }
        return end;
    }

    // Each of those to the two neighbours of what was evaluated that have its eigenvalue, of rank first + i, between them.
    int narrow_down(std::array<Bracket, shifts>& brackets, int begin, const std::array<Minor, shifts>& minors,
                    Index first) const {
        const int end = end_of_equal(brackets, begin);
        for (int i = begin, above = begin; i < end; ++i) {
            while (above < end && minors[above].below <= std::min(first + i, size() - 1)) ++above;
            if (brackets[i].width() <= narrow) continue;
            if (above > begin) brackets[i].low = minors[above - 1];
            if (above < end) brackets[i].high = minors[above];
        }
        return end;
    }

    // Where to evaluate next.
    static double next(Bracket& bracket) {
        const double width = bracket.width(), middle = bracket.low.x + width / 2;
        if (!bracket.isolates()) return middle;
        if (bracket.start == 0) bracket.start = width, bracket.allowed = 128 * width;
        bracket.allowed /= 2;
        const double zero = bracket.low.x + width * share_of_low(bracket), towards = middle - zero;
        // Beyond the zero of the line, so that the other end moves too.
        const double beyond = std::max(0.2 * width * (width / bracket.start), unit);
        const double from_middle = std::max(std::abs(towards) - beyond, 0.0);
        const double reach = std::max(bracket.allowed - width / 2, 0.0);
        return middle - std::copysign(std::min(from_middle, reach), towards);
    }

    // |p_n| at the low end, of its sum over both ends.
    static double share_of_low(const Bracket& bracket) {
        const Minor &low = bracket.low, &high = bracket.high;
        const auto power = std::clamp<std::int64_t>(low.exponent - high.exponent, -1000, 1000);
        const double l = std::abs(low.value) * std::bit_cast<double>(static_cast<std::uint64_t>(1023 + power) << 52);
        return l / (l + std::abs(high.value));
    }

    // Fills in `shifts` minors at their x.
    void evaluate(Minor* minors) const {
        constexpr Index stretch = 8;
        double x[shifts];
        for (int i = 0; i < shifts; ++i) x[i] = minors[i].x;
        Doubles shift[vectors], now[vectors], before[vectors];
        Words changes[vectors] = {}, exponents[vectors] = {};
        for (int v = 0; v < vectors; ++v) {
            shift[v] = load(x + v * lane_count);
            now[v] = constant<Doubles>(1.0), before[v] = Doubles{};
        }
        for (Index k = 0; k < size();) {
            for (const Index end = std::min(k + stretch, size()); k < end; ++k) {
                const double d = diagonal_[static_cast<std::size_t>(k)], square = squares_[static_cast<std::size_t>(k)];
#pragma GCC unroll 4
                for (int v = 0; v < vectors; ++v) {
                    const Doubles next = (d - shift[v]) * now[v] - square * before[v];
                    changes[v] += (words(next) ^ words(now[v])) >> 63;
                    before[v] = now[v], now[v] = next;
                }
            }
#pragma GCC unroll 4
            for (int v = 0; v < vectors; ++v) {
                const Words exponent = larger_exponent(now[v], before[v]);
                const Doubles factor = std::bit_cast<Doubles>(0x7FE0000000000000 - exponent);
                now[v] *= factor, before[v] *= factor;
                exponents[v] += exponent >> 52;
            }
        }
        const std::int64_t bias = 1023 * ((size() + stretch - 1) / stretch);
        std::array<double, shifts> value;
        std::array<std::int64_t, shifts> below, exponent;
        std::memcpy(value.data(), now, sizeof now);
        std::memcpy(below.data(), changes, sizeof changes);
        std::memcpy(exponent.data(), exponents, sizeof exponents);
        for (int i = 0; i < shifts; ++i) minors[i] = {x[i], value[i], exponent[i] - bias, below[i]};
    }

#if defined(__GNUC__)
    using Words = std::uint64_t __attribute__((vector_size(8 * lane_count)));
#else
    using Words = std::uint64_t;
#endif

    static Words words(Doubles x) { return std::bit_cast<Words>(x); }

    // The bits of the exponent of the larger magnitude.
    static Words larger_exponent(Doubles a, Doubles b) {
        const Doubles x = magnitude(a), y = magnitude(b);
        return words(x > y ? x : y) & std::uint64_t(0x7FF0000000000000);
    }

    std::vector<double> diagonal_, squares_;  // squares_[k] = e_{k−1}²
    double scale_ = 0;
};

}  // namespace hessorbit
