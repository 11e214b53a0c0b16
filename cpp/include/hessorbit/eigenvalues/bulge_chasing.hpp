// Reduces a symmetric band of w diagonals to a tridiagonal matrix of the same eigenvalues, by reflections of w rows.
//
// Sweep s = 0 … n − 3 takes column s. Its step 0 reflects rows s + 1 … s + w, so that the column ends below the diagonal
// after one entry, and what is done to the same columns fills a block of w rows below, the bulge. Step l > 0 takes the
// first column of that away by a reflection of rows s + 1 + l w …, which makes the next bulge, and so on to the end:
//
//     rows of step l:    [ bulge (w, w) | diagonal block (w, w) ]    bulge ← H bulge H', diagonal ← H diagonal H
//
// with H the reflection of step l and H' that of step l − 1. 6 n² w flops; the band, (2w + 8) n numbers, stays in the
// second cache.
//
// Step l of sweep s needs step l − 1 of its own, and step l + 1 of sweep s − 1. At tick k of a group of sweeps its i-th
// does step k − i, one after the other; a tile is as many ticks as a group has sweeps. So tile c of group g needs its own
// tile c − 1 and tile c + 1 of group g − 1, and all tiles with the same c + 2g may be done at once.
//
// B. Lang, "A parallel algorithm for reducing symmetric banded matrices to tridiagonal form", SISSC 14 (1993). A. Haidar, H.
// Ltaief and J. Dongarra, "Parallel reduction to condensed forms for symmetric eigenvalue problems using aggregated
// fine-grained and memory-aware kernels", SC 2011.
#pragma once

#include "../kernel/team.hpp"
#include "band.hpp"
#include "reflector.hpp"

#include <algorithm>

namespace hessorbit {

class BulgeChasing {
public:
    // Reduces the first n rows and columns of a band; what is beyond is 0.
    BulgeChasing(Band& band, Index n, int threads)
        : band_(band), size_(n), sweeps_(std::max<Index>(n - 2, 0)), groups_((sweeps_ + group - 1) / group),
          reflectors_(static_cast<std::size_t>(sweeps_)) {
        if (groups_ == 0) return;
        const auto phases = static_cast<int>(2 * (groups_ - 1) + tiles(groups_ - 1));
        share_phases(
            threads, phases, [&](int phase) { return last_group(phase) - first_group(phase) + 1; },
            [&](Share& share) {
                for (const Part part : share) {
                    const Index g = first_group(part.phase) + part.index;
                    do_tile(g, part.phase - 2 * g);
                }
            });
    }

private:
    static constexpr Index width = Band::bandwidth, group = 8;
    static constexpr int vectors = static_cast<int>(width) / lane_count;

    struct Reflector {
        double v[width], factor;
    };

    Index steps(Index sweep) const { return (size_ - sweep - 1 + width - 1) / width; }

    // Of a group; fewer for later groups, by less than two from one to the next.
    Index tiles(Index g) const { return (steps(g * group) + group - 1 + group - 1) / group; }

    Index last_group(Index phase) const { return std::min(phase / 2, groups_ - 1); }
    Index first_group(Index phase) const { return std::max<Index>(0, (phase - tiles(0) + 2) / 2); }

    void do_tile(Index g, Index tile) {
        for (Index tick = tile * group; tick < (tile + 1) * group; ++tick)
            for (Index sweep = g * group; sweep < std::min((g + 1) * group, sweeps_); ++sweep) {
                const Index step = tick - (sweep - g * group);
                if (step >= 0 && step < steps(sweep)) do_step(sweep, step);
            }
    }

    void do_step(Index sweep, Index step) {
        Reflector& reflector = reflectors_[static_cast<std::size_t>(sweep)];
        const Index row = sweep + 1 + step * width;
        if (step == 0)
            take_column(band_.at(row, sweep), reflector);
        else
            chase(band_.at(row, row - width), reflector);
        if (reflector.factor != 0) reflect_both(band_.at(row, row), reflector);
    }

    static void take_column(double* x, Reflector& reflector) {
        std::copy_n(x, width, reflector.v);
        const auto [value, factor] = make_reflector(reflector.v, width);
        reflector.factor = factor;
        x[0] = value;
        std::fill(x + 1, x + width, 0.0);
    }

    static double dot(const Doubles* a, const Doubles* b) {
        Doubles result = a[0] * b[0];
        for (int r = 1; r < vectors; ++r) result += a[r] * b[r];
        return sum(result);
    }

    // bulge ← bulge (I − t' u uᵀ), with the reflector before; then a reflector takes its first column from the left, and is
    // the one after. With p = t' bulge u, column c becomes b_c − u_c p − t (v·b_c − u_c v·p) v.
    static void chase(double* bulge, Reflector& reflector) {
        const Reflector before = reflector;
        const double* const u = before.v;
        Doubles p[vectors] = {}, odd[vectors] = {};
#pragma GCC unroll 16
        for (Index c = 0; c < width; c += 2)
            for (int r = 0; r < vectors; ++r) {
                p[r] += u[c] * load(entry(bulge, r, c));
                odd[r] += u[c + 1] * load(entry(bulge, r, c + 1));
            }
        for (int r = 0; r < vectors; ++r) {
            p[r] = before.factor * (p[r] + odd[r]);
            store(entry(bulge, r, 0), load(entry(bulge, r, 0)) - u[0] * p[r]);
        }
        take_column(bulge, reflector);
        Doubles v[vectors];
        for (int r = 0; r < vectors; ++r) v[r] = load(reflector.v + r * lane_count);
        const double along = dot(v, p);
        for (Index first = 0; first < width; first += lane_count) {
            Doubles products[lane_count];
#pragma GCC unroll 8
            for (int l = 0; l < lane_count; ++l) {
                products[l] = v[0] * load(entry(bulge, 0, first + l));
                for (int r = 1; r < vectors; ++r) products[l] += v[r] * load(entry(bulge, r, first + l));
            }
            double multiples[lane_count];
            store(multiples, reflector.factor * (detail::sum_lanes<double>(products) - along * load(u + first)));
#pragma GCC unroll 8
            for (int l = 0; l < lane_count; ++l) {
                if (first + l == 0) continue;
                for (int r = 0; r < vectors; ++r) {
                    double* const at = entry(bulge, r, first + l);
                    store(at, load(at) - u[first + l] * p[r] - multiples[l] * v[r]);
                }
            }
        }
    }

    // diagonal ← H diagonal H = diagonal − v wᵀ − w vᵀ, w = p − ½ t (p·v) v, p = t diagonal v. Vectors on the diagonal hold
    // entries above it, which are of no use, and are left out of p.
    static void reflect_both(double* diagonal, const Reflector& reflector) {
        Doubles v[vectors], p[vectors] = {};
        for (int r = 0; r < vectors; ++r) v[r] = load(reflector.v + r * lane_count);
#pragma GCC unroll 8
        for (int r = 0; r < vectors; ++r) multiply_by_columns(diagonal, reflector, v, r, p);
        for (int r = 0; r < vectors; ++r) p[r] *= reflector.factor;
        const double half = 0.5 * reflector.factor * dot(p, v);
        double w[width];
        for (int r = 0; r < vectors; ++r) {
            p[r] -= half * v[r];
            store(w + r * lane_count, p[r]);
        }
#pragma GCC unroll 8
        for (int first = 0; first < vectors; ++first)
            for (Index c = first * lane_count; c < (first + 1) * lane_count; ++c)
                for (int r = first; r < vectors; ++r) {
                    double* const at = entry(diagonal, r, c);
                    store(at, load(at) - w[c] * v[r] - reflector.v[c] * p[r]);
                }
    }

    // Adds to p what the columns of one vector, and the rows that mirror them, contribute to diagonal v.
    [[gnu::always_inline]] static void multiply_by_columns(const double* diagonal, const Reflector& reflector, const Doubles* v, int first,
                                    Doubles* p) {
        Doubles products[lane_count];
#pragma GCC unroll 8
        for (int l = 0; l < lane_count; ++l) {
            const Index c = first * lane_count + l;
            const Doubles ahead = load(entry(diagonal, first, c));
            p[first] += reflector.v[c] * from_lane(ahead, l);
            products[l] = v[first] * from_lane(ahead, l + 1);
            for (int r = first + 1; r < vectors; ++r) {
                const Doubles below = load(entry(diagonal, r, c));
                p[r] += reflector.v[c] * below;
                products[l] += v[r] * below;
            }
        }
        p[first] += detail::sum_lanes<double>(products);
    }

    // x with 0 in lanes before l
    static Doubles from_lane(Doubles x, int l) {
        static constexpr double lane[] = {0, 1, 2, 3, 4, 5, 6, 7};
        return load(lane) >= constant<Doubles>(l) ? x : Doubles{};
    }

    static double* entry(double* block, int vector, Index c) {
        return block + c * Band::column_stride + vector * lane_count;
    }
    static const double* entry(const double* block, int vector, Index c) {
        return block + c * Band::column_stride + vector * lane_count;
    }

    Band& band_;
    const Index size_, sweeps_, groups_;
    std::vector<Reflector> reflectors_;  // the last of each sweep
};

}  // namespace hessorbit
