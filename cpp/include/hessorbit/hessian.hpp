// The exact Hessian, block by block. Between W̃_l[i,a] and W̃_m[j,c], l ≤ m,
//
//     H = Σ_n φ_l[a] φ_m[c] B_lm[i,j]   +   [l < m, c not the bias]  Σ_n φ_l[a] δ_m[j] ∂φ_m[c]/∂z_l[i]
//
// with B_lm = Σ_{q ≥ m} Z_lq C_q Z_mqᵀ (sensitivity.hpp). The first sum is a product of two Khatri–Rao factors: rows
// φ_l[a] φ_m[c] against rows B_lm[i,j], contracted over samples. In a diagonal block both are symmetric, so only a ≤ c
// and i ≤ j are formed: N P_l²/2 flops. The Gauss–Newton matrix is the first sum with the term q = L of B alone.
//
// Products go straight to their places in the upper triangle of H, and the rest is filled by symmetry at the end, so
// that no memory beyond H and a few rows per thread is needed.
#pragma once

#include "sensitivity.hpp"
#include "team.hpp"

namespace hessorbit {

// Where products go in H. A product of left row x and a right row that stands for neurons (i, j) belongs at
// H.data()[base[x] + i·row_step[x] + j·column_step[x] + offset], offset given by the right row.
struct Placement {
    std::vector<Index> a, c;
    std::vector<Index> base, row_step, column_step;

    Index size() const { return static_cast<Index>(base.size()); }
};

// Placements of every kind of block, fixed by the network.
class HessianPlan {
public:
    explicit HessianPlan(const Network& network) : depth_(network.depth()) {
        const Index p = network.num_parameters();
        for (Index l = 0; l < depth_; ++l) {
            const Layer& lower = network.layer(l);
            rows_.push_back({});
            for (Index a = 0; a < lower.features(); ++a) {
                rows_.back().a.push_back(a);
                rows_.back().base.push_back(lower.start(a) * p);
                rows_.back().row_step.push_back(lower.step(a) * p);
                rows_.back().column_step.push_back(0);
            }
            for (Index m = 0; m < depth_; ++m) {
                pairs_.push_back({});
                if (m < l || (m == l && m == depth_ - 1)) continue;
                const Layer& upper = network.layer(m);
                Placement& pairs = pairs_.back();
                for (Index c = 0; c < upper.features(); ++c)
                    for (Index a = 0; a < (l == m ? c + 1 : lower.features()); ++a) {
                        pairs.a.push_back(a), pairs.c.push_back(c);
                        pairs.base.push_back(lower.start(a) * p + upper.start(c));
                        pairs.row_step.push_back(lower.step(a) * p);
                        pairs.column_step.push_back(upper.step(c));
                    }
            }
        }
    }

    const Placement& pairs(Index l, Index m) const { return pairs_[l * depth_ + m]; }  // left rows φ_l[a] φ_m[c]
    const Placement& rows(Index l) const { return rows_[l]; }                          // left rows φ_l[a]

private:
    Index depth_;
    std::vector<Placement> pairs_, rows_;
};

// What one thread needs besides the tape: a block of left rows, a group of right rows, and rows in between.
template <class T>
struct HessianScratch {
    static constexpr Index left_capacity = 96, group_capacity = 32, segment = 512;

    struct Right {
        Index i, j, offset;
    };

    Rows<T> left, group, weighted, combined;
    std::vector<Right> right;
    Matrix<T> coefficients;

    explicit HessianScratch(const Network& network, Index columns) {
        const Index n = std::min(columns, segment);
        Index width = 1, product = 1;
        for (Index l = 0; l + 1 < network.depth(); ++l) {
            width = std::max(width, network.layer(l).width);
            product = std::max(product, network.layer(l).width * network.layer(l + 1).width);
        }
        left.setZero(left_capacity, n);
        group.setZero(group_capacity, n);
        weighted.setZero(width, n);
        combined.setZero(group_capacity, n);
        right.reserve(group_capacity);
        coefficients.setZero(1, product);
    }
};

template <class T>
class HessianAssembler {
public:
    HessianAssembler(const Network& network, const Parameters<T>& parameters, const HessianPlan& plan, Tape<T>& tape,
                     Sensitivity<T>& sensitivity, bool gauss_newton, bool diagonal_loss, bool constant_loss,
                     HessianScratch<T>& scratch, T* hessian)
        : network_(network), parameters_(parameters), plan_(plan), tape_(tape), z_(sensitivity),
          gauss_newton_(gauss_newton), diagonal_loss_(diagonal_loss), constant_loss_(constant_loss), s_(scratch),
          hessian_(hessian), top_(network.depth() - 1) {}

    // Adds this member's share of the samples 0 … n − 1 of the tape to the upper triangle of H.
    void add(Index n, const Team& team) {
        for (Index begin = 0; begin < n; begin += s_.segment) {
            c_ = {begin, std::min(s_.segment, n - begin)};
            for (Index l = 0; l <= top_; ++l) {
                for (Index m = l; m <= top_ && l < top_; ++m) add_curvature_of_outputs(l, m, team);
                for (Index m = l + 1; m <= top_ && !gauss_newton_; ++m) add_curvature_of_weights(l, m, team);
            }
            add_output_layer(team);
        }
    }

private:
    using Right = typename HessianScratch<T>::Right;

    RowsView<T> view(Rows<T>& rows) const { return RowsView<T>(rows).from_column(c_.begin); }
    Row<T> row(Rows<T>& rows, Index i) const { return view(rows).array(i, c_.size); }
    Row<T> group_row(Index r) { return RowsView<T>(s_.group).array(r, c_.size); }
    Row<T> phi(Index l, Index a) { return tape_.phi(l).from_column(c_.begin).array(a, c_.size); }

    // Σ_n φ_l[a] φ_m[c] B_lm[i,j], for l below the output layer.
    void add_curvature_of_outputs(Index l, Index m, const Team& team) {
        const Index width = network_.layer(l).width, above = network_.layer(m).width;
        const bool symmetric = l == m;
        const Range share = team.share(symmetric ? width * (width + 1) / 2 : width * above, Lanes<T>::right);
        const Placement& placement = plan_.pairs(l, m);
        Index held = -1;  // the block of left rows in scratch
        Index flat = 0;
        for (Index i = 0; i < width && flat < share.end; ++i) {
            const Index first = symmetric ? i : 0;
            const Index row_end = flat + above - first;
            for (Index at = std::max(flat, share.begin); at < std::min(row_end, share.end);) {
                const Index j = first + at - flat;
                const Index count = std::min({std::min(row_end, share.end) - at, s_.group_capacity - filled()});
                curvature_rows(l, m, i, j, count);
                for (Index r = 0; r < count; ++r) s_.right.push_back({i, j + r, 0});
                at += count;
                if (filled() == s_.group_capacity || at == share.end) contract_pairs(l, m, placement, held);
            }
            flat = row_end;
        }
    }

    Index filled() const { return static_cast<Index>(s_.right.size()); }

    // Contracts the group with all left rows φ_l[a] φ_m[c], block by block.
    void contract_pairs(Index l, Index m, const Placement& placement, Index& held) {
        for (Index first = 0; first < placement.size(); first += s_.left_capacity) {
            const Index count = std::min(s_.left_capacity, placement.size() - first);
            if (held != first) {
                for (Index x = 0; x < count; ++x)
                    RowsView<T>(s_.left).array(x, c_.size) =
                        phi(l, placement.a[first + x]) * phi(m, placement.c[first + x]);
                held = first;
            }
            contract_group(RowsView<T>(s_.left), placement, first, count);
        }
        s_.right.clear();
    }

    // H += left rows first … first + count − 1 of the placement against the group.
    void contract_group(RowsView<T> left, const Placement& placement, Index first, Index count) {
        const Index* base = placement.base.data() + first;
        const Index* row_step = placement.row_step.data() + first;
        const Index* column_step = placement.column_step.data() + first;
        contract<T>(left, count, RowsView<T>(s_.group), filled(), c_.size, [&](Index x, Index r, T value) {
            const Right& right = s_.right[r];
            hessian_[base[x] + right.i * row_step[x] + right.j * column_step[x] + right.offset] += value;
        });
    }

    // Appends the rows B_lm[i, j … j + count − 1] to the group.
    void curvature_rows(Index l, Index m, Index i, Index j, Index count) {
        const Index width = network_.layer(l).width, above = network_.layer(m).width, start = filled();
        if (m == top_) {
            for (Index r = 0; r < count; ++r) group_row(start + r) = row(z_.weighted[l], (j + r) * width + i);
            return;
        }
        for (Index r = 0; r < count; ++r) {
            Row<T> out = group_row(start + r);
            out = row(z_.to_output[l], i) * row(z_.weighted[m], j + r);
            for (Index k = 1; k < network_.outputs(); ++k)
                out += row(z_.to_output[l], k * width + i) * row(z_.weighted[m], k * above + j + r);
        }
        if (gauss_newton_) return;
        for (Index r = 0; r < count; ++r) {
            Row<T> out = group_row(start + r);
            if (l == m && i == j + r) out += row(tape_.curvature[l], i);
            if (l < m) out += to_hidden(l, m, i, j + r) * row(tape_.curvature[m], j + r);
        }
        for (Index q = m + 1; q < top_; ++q) add_hidden_curvature(l, m, q, i, j, count, start);
    }

    // Z_lq[i,u] as an expression, l < q < L.
    auto to_hidden(Index l, Index q, Index i, Index u) {
        const bool next = q == l + 1;
        const T coefficient = next ? parameters_.backward[q](i, u) : T(1);
        return coefficient * (next ? row(tape_.slope[l], i) : row(z_.to_hidden[l][q], i * network_.layer(q).width + u));
    }

    // Group rows += Σ_u Z_lq[i,u] e_q[u] Z_mq[j,u], m < q < L.
    void add_hidden_curvature(Index l, Index m, Index q, Index i, Index j, Index count, Index start) {
        const Index target = network_.layer(q).width;
        RowsView<T> weighted(s_.weighted);
        for (Index u = 0; u < target; ++u)
            weighted.array(u, c_.size) = to_hidden(l, q, i, u) * row(tape_.curvature[q], u);
        if (q == m + 1) {
            const Matrix<T>& v = parameters_.backward[q];
            combine<T>(v.data() + j * target, target, count, target, weighted, RowsView<T>(s_.combined), c_.size);
            for (Index r = 0; r < count; ++r)
                group_row(start + r) += row(tape_.slope[m], j + r) * RowsView<T>(s_.combined).array(r, c_.size);
        } else {
            for (Index r = 0; r < count; ++r)
                for (Index u = 0; u < target; ++u)
                    group_row(start + r) += weighted.array(u, c_.size) * to_hidden(m, q, j + r, u);
        }
    }

    // Σ_n φ_l[a] δ_m[j] ∂φ_m[c]/∂z_l[i]: W_m acts on features that W_l moves. For m = l + 1 only c = i moves.
    void add_curvature_of_weights(Index l, Index m, const Team& team) {
        const Index width = network_.layer(l).width, above = network_.layer(m).width;
        const Index moved = m == l + 1 ? 1 : network_.layer(m - 1).width;
        const T s = network_.layer(m).template multiplier<T>();
        const Range share = team.share(width * moved * above, Lanes<T>::right);
        for (Index flat = share.begin; flat < share.end; ++flat) {
            const Index j = flat % above, i = flat / above % width;
            const Index c = m == l + 1 ? i : flat / above / width;
            Row<T> out = group_row(filled());
            if (m == l + 1) out = s * row(tape_.delta[m], j) * row(tape_.slope[l], i);
            else out = s * row(tape_.delta[m], j) * (to_hidden(l, m - 1, i, c) * row(tape_.slope[m - 1], c));
            s_.right.push_back({i, 0, network_.layer(m).parameter(j, c)});
            if (filled() == s_.group_capacity || flat + 1 == share.end) contract_features(l, network_.layer(l).features());
        }
    }

    // Contracts the group with the left rows φ_l[0 … count − 1].
    void contract_features(Index l, Index count) {
        contract_group(tape_.phi(l).from_column(c_.begin), plan_.rows(l), 0, count);
        s_.right.clear();
    }

    // Σ_n φ[a] φ[c] M_kj in the output layer, a ≤ c: few neurons, many features, so the group runs over c.
    void add_output_layer(const Team& team) {
        const Layer& layer = network_.last();
        const Index outputs = layer.width;
        for (Index k = 0; k < (constant_loss_ ? 1 : outputs); ++k)
            for (Index j = k; j < (diagonal_loss_ ? k + 1 : outputs); ++j)
                add_output_pair(k, j, team);
    }

    void add_output_pair(Index k, Index j, const Team& team) {
        const Layer& layer = network_.last();
        const Index groups = (layer.features() + group_size() - 1) / group_size();
        // Group g costs about g: pairing the g-th with the g-th last gives every member the same.
        for (Index g = 0; g < groups; ++g) {
            const Index turn = std::min(g, groups - 1 - g);
            if (turn % team.size != team.rank) continue;
            const Index first = g * group_size(), end = std::min(first + group_size(), layer.features());
            for (Index c = first; c < end; ++c) {
                group_row(filled()) = row(tape_.hessian, k * layer.width + j) * phi(top_, c);
                s_.right.push_back({k, 0, layer.parameter(j, c)});
            }
            contract_features(top_, end);
        }
    }

    static constexpr Index group_size() { return 2 * Lanes<T>::right; }

    const Network& network_;
    const Parameters<T>& parameters_;
    const HessianPlan& plan_;
    Tape<T>& tape_;
    Sensitivity<T>& z_;
    bool gauss_newton_, diagonal_loss_, constant_loss_;
    HessianScratch<T>& s_;
    T* hessian_;
    Index top_;
    Columns c_{};
};

namespace detail {

// Squared error has M = w I: every output's block equals the first one's.
template <class T>
void repeat_output_block(const Layer& layer, Index p, T* hessian, const Team& team) {
    const Range share = team.share(layer.features());
    for (Index a = share.begin; a < share.end; ++a)
        for (Index k = 1; k < layer.width; ++k)
            for (Index c = a; c < layer.features(); ++c)
                hessian[layer.parameter(k, a) * p + layer.parameter(k, c)] =
                    hessian[layer.parameter(0, a) * p + layer.parameter(0, c)];
}

// In a diagonal block, H[(i,c),(j,a)] = H[(i,a),(j,c)] for i < j: only a ≤ c was formed. Biases come after all weights
// of their layer, so the place above the diagonal is at row (j,a) when c is the bias.
template <class T>
void reflect_features(const Layer& layer, Index p, T* hessian, const Team& team) {
    for (Index i = team.rank; i < layer.width; i += team.size)
        for (Index a = 0; a < layer.features(); ++a)
            for (Index c = a + 1; c < layer.features(); ++c) {
                const bool bias = c == layer.fan_in;
                const T* from = hessian + layer.parameter(i, a) * p + layer.start(c);
                T* to = bias ? hessian + layer.start(a) * p + layer.parameter(i, c)
                             : hessian + layer.parameter(i, c) * p + layer.start(a);
                const Index step = layer.step(a) * (bias ? p : 1);
                for (Index j = i + 1; j < layer.width; ++j) to[j * step] = from[j * layer.step(c)];
            }
}

// The lower triangle from the upper, in tiles that stay in cache.
template <class T>
void reflect_triangle(Index p, T* hessian, const Team& team) {
    constexpr Index tile = 16;
    const Index tiles = (p + tile - 1) / tile;
    for (Index r = 0; r < tiles; ++r) {
        if (std::min(r, tiles - 1 - r) % team.size != team.rank) continue;
        for (Index s = 0; s <= r; ++s)
            for (Index i = r * tile; i < std::min(p, (r + 1) * tile); ++i)
                for (Index j = s * tile; j < std::min(i, (s + 1) * tile); ++j) hessian[i * p + j] = hessian[j * p + i];
    }
}

}  // namespace detail

// Completes H (P, P) once every chunk has been added: symmetry, and l2 on the diagonal.
template <class T>
void complete_hessian(const Network& network, bool constant_loss, T l2, T* hessian, const Team& team) {
    const Index p = network.num_parameters();
    if (constant_loss) detail::repeat_output_block(network.last(), p, hessian, team);
    team.barrier();
    for (Index l = 0; l < network.depth(); ++l) detail::reflect_features(network.layer(l), p, hessian, team);
    team.barrier();
    detail::reflect_triangle(p, hessian, team);
    const Range share = team.share(p);
    for (Index i = share.begin; i < share.end; ++i) hessian[i * p + i] += l2;
}

}  // namespace hessorbit
