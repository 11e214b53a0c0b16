// The kinds of product that make up the Hessian. Between W̃_l[i,a] and W̃_m[j,c], l ≤ m,
//
//     H = Σ_n φ_l[a] φ_m[c] B_lm[i,j]   +   [l < m, c not the bias]  Σ_n φ_l[a] δ_m[j] ∂φ_m[c]/∂z_l[i]
//
// with B_lm = Σ_{q ≥ m} Z_lq C_q Z_mqᵀ (sensitivity.hpp). Each sum is a matrix product over samples, Σ_n left_x right_r
// (rows.hpp), for some split of its factors into left rows and right rows:
//
//     KhatriRao          left φ_l[a] φ_m[c]       right B_lm[i,j]                        hidden with hidden layers
//     RankOne            left E_l[j]              right F_l[i] φ_l[a] φ_l[c]             last hidden layer, one output
//     RankOneAlike       left σ'_l[j]             right w σ'_l[i] φ_l[a] φ_l[c]          the same, if M = w I, K > 1
//     OwnCurvature       left φ_l[a] φ_l[c]       right e_l[i]                           what these two leave out
//     ToOutput           left φ_L[c]              right E_l[k,i] φ_l[a]                  hidden with output layer
//     ToOutputsAlike     left φ_L[c]              right w σ'_l[i] φ_l[a]                 the last, if M = w I, K > 1
//     WithinOutput       left φ_L[a]              right M_kj φ_L[c]
//     OutputPairs        left φ_L[a] φ_L[c]       right M_kj                             the same, if many are coupled
//     MovedFeatures      left φ_l[a]              right δ_m[j] ∂φ_m[c]/∂z_l[i]           the second sum
//
// Squared error has M = w I, so that in the last hidden layer F_l[k,i] = V_L[i,k] σ'_l[i] and E_l[k,i] = w F_l[k,i]: one
// product serves all outputs, each with its own factor V_L[i,k], and Σ_k F_l[k,i] E_l[k,j] = (V_L V_Lᵀ)_ij w σ'_l[i] σ'_l[j].
//
// In a diagonal block both factors are symmetric, so only a ≤ c and i ≤ j are formed: N P_l²/2 flops. The Gauss–Newton
// matrix is the first sum with the term q = L of B alone.
//
// A kind is a struct, and an entry of `Products`; nothing else names it. It says
//
//     stage        1 if it adds to places that another kind writes, which must then be finished; else 0
//     serves       whether block (l, m) has such a product
//     right_rows   lists its right rows by the indices they carry
//     left_count   how many left rows there are
//     needed       which of them a right row needs, where symmetry gives the others
//     left_row     says where a left row is, in `out` if it had to be formed (times the bias's 1 it has not)
//     right_row    the same for a right row (or right_rows, for several at once)
//     place        tells `add` for each left row x of a range at which (i, a), (j, c) the sum belongs, and a factor
//
// and, if left rows lie along the rows of H, `left_is_lower`; if left rows need forming, `forms_left`, and `forms_apart`
// where a few right rows take no more to form than their share of many.
#pragma once

#include "segment.hpp"
#include "selection.hpp"

#include "../kernel/range.hpp"

#include <tuple>

namespace hessorbit {

// What decides which products a Hessian takes, or a principal block of it.
struct HessianShape {
    const Network& network;
    bool gauss_newton;
    bool diagonal_loss;  // M is diagonal
    bool constant_loss;  // M = w I
    Selection selection;

    const std::vector<Index>& neurons(Index l) const { return selection.neurons(l); }
    const std::vector<Index>& features(Index l) const { return selection.features(l); }

    Index top() const { return network.depth() - 1; }
    bool hidden(Index l, Index m) const { return l <= m && m < top(); }

    // Whether outputs differ by factors alone as seen from layer l, and there are several.
    bool alike(Index l) const { return constant_loss && l == top() - 1 && network.outputs() > 1; }
};

// A right row, by the indices it carries; what they mean depends on the kind of product.
struct RightRow {
    Index i = 0, j = 0, a = 0, c = 0;
};

// Right rows are multiplied in groups of at most this many; of up to `large_group`, if there are plenty of them, where
// every group forms the left rows anew.
inline constexpr Index right_group = 48, large_group = 96;

// Block (l, m) of a product, where rows are formed.
template <class T>
struct Block {
    const HessianShape& shape;
    Segment<T>& segment;
    Index l, m;
    const RightRow* pairs;  // (a, c) of the block
    RowsView<T> weighted;   // rows in between: as many as a layer is wide
    RowsView<T> combined;   // and as many as a group holds
};

// Left rows φ_l[a] φ_m[c]; in a diagonal block a ≤ c.
struct FeaturePairs {
    static constexpr int stage = 0;
    static constexpr bool forms_left = true, left_is_lower = false;

    static Index left_count(const HessianShape& s, Index l, Index m) {
        const Index lower = std::ssize(s.features(l)), upper = std::ssize(s.features(m));
        return l == m ? lower * (lower + 1) / 2 : lower * upper;
    }

    static Range needed(const HessianShape& s, Index l, Index m, const RightRow&) { return {0, left_count(s, l, m)}; }

    static bool forms_apart(const HessianShape&, Index) { return true; }

    template <class T>
    static const T* left_row(Block<T>& at, Index x, Row<T> out) {
        const Index l = at.l, m = at.m, a = at.pairs[x].a, c = at.pairs[x].c;
        if (at.segment.is_bias(m, c)) return at.segment.phi(l, a).data();
        if (at.segment.is_bias(l, a)) return at.segment.phi(m, c).data();
        out = at.segment.phi(l, a) * at.segment.phi(m, c);
        return out.data();
    }

    template <class T, class Add>
    static void place(const Block<T>& at, const RightRow& right, Range left, Add add) {
        for (Index x = left.begin; x < left.end; ++x) add(x, right.i, at.pairs[x].a, right.j, at.pairs[x].c);
    }
};

// Pairs of neurons of the last hidden layer, where outputs add no more than a factor to each.
struct NeuronPairs {
    static constexpr int stage = 0;
    static constexpr bool forms_left = false, left_is_lower = false;

    // Where it forms fewer rows: here the pairs of features for every neuron, there B and, for every group of its rows,
    // the pairs.
    static bool serves(const HessianShape& s, Index l, Index m) {
        if (l != m || m != s.top() - 1 || !(s.network.outputs() == 1 || s.alike(l))) return false;
        const Index width = std::ssize(s.neurons(l)), pairs = FeaturePairs::left_count(s, l, l);
        const Index neurons = width * (width + 1) / 2, groups = (neurons + large_group - 1) / large_group;
        return pairs * width <= neurons + groups * pairs;
    }

    template <class List>
    static void right_rows(const HessianShape& s, Index l, Index, List& list) {
        for (const Index i : s.neurons(l))
            for (const Index a : s.features(l))
                for (const Index c : s.features(l))
                    if (a <= c) list.add({i, 0, a, c});
    }

    static Index left_count(const HessianShape& s, Index l, Index) { return std::ssize(s.neurons(l)); }

    static Range needed(const HessianShape& s, Index l, Index m, const RightRow& right) {
        return {s.selection.neuron_rank(l, right.i), left_count(s, l, m)};
    }
};

struct RankOne : NeuronPairs {
    static bool serves(const HessianShape& s, Index l, Index m) { return NeuronPairs::serves(s, l, m) && !s.alike(l); }

    template <class T>
    static const T* left_row(Block<T>& at, Index x, Row<T>) {
        return at.segment.weighted(at.l, 0, at.shape.neurons(at.l)[x]).data();
    }

    template <class T>
    static const T* right_row(Block<T>& at, const RightRow& right, Row<T> out) {
        const auto [i, j, a, c] = right;
        const Row<T> f = at.segment.to_output(at.l, 0, i);
        if (at.segment.is_bias(at.l, a)) return f.data();
        if (at.segment.is_bias(at.l, c))
            out = f * at.segment.phi(at.l, a);
        else
            out = f * at.segment.phi(at.l, a) * at.segment.phi(at.l, c);
        return out.data();
    }

    template <class T, class Add>
    static void place(const Block<T>& at, const RightRow& right, Range left, Add add) {
        for (Index x = left.begin; x < left.end; ++x) add(x, right.i, right.a, at.shape.neurons(at.l)[x], right.c);
    }
};

struct RankOneAlike : NeuronPairs {
    static bool serves(const HessianShape& s, Index l, Index m) { return NeuronPairs::serves(s, l, m) && s.alike(l); }

    template <class T>
    static const T* left_row(Block<T>& at, Index x, Row<T>) {
        return at.segment.slope(at.l, at.shape.neurons(at.l)[x]).data();
    }

    template <class T>
    static const T* right_row(Block<T>& at, const RightRow& right, Row<T> out) {
        const auto [i, j, a, c] = right;
        out = at.segment.loss(0) * at.segment.slope(at.l, i);
        if (!at.segment.is_bias(at.l, a)) out *= at.segment.phi(at.l, a);
        if (!at.segment.is_bias(at.l, c)) out *= at.segment.phi(at.l, c);
        return out.data();
    }

    template <class T, class Add>
    static void place(const Block<T>& at, const RightRow& right, Range left, Add add) {
        for (Index x = left.begin; x < left.end; ++x) {
            const Index j = at.shape.neurons(at.l)[x];
            add(x, right.i, right.a, j, right.c, at.segment.common_outputs(at.l, right.i, j));
        }
    }
};

struct OwnCurvature : FeaturePairs {
    static constexpr int stage = 1;

    static bool serves(const HessianShape& s, Index l, Index m) { return NeuronPairs::serves(s, l, m) && !s.gauss_newton; }

    template <class List>
    static void right_rows(const HessianShape& s, Index l, Index, List& list) {
        for (const Index i : s.neurons(l)) list.add({i, i});
    }

    template <class T>
    static const T* right_row(Block<T>& at, const RightRow& right, Row<T>) {
        return at.segment.curvature(at.l, right.i).data();
    }
};

struct KhatriRao : FeaturePairs {
    static constexpr Index most = large_group;  // right rows in a group

    static bool serves(const HessianShape& s, Index l, Index m) { return s.hidden(l, m) && !NeuronPairs::serves(s, l, m); }

    template <class List>
    static void right_rows(const HessianShape& s, Index l, Index m, List& list) {
        for (const Index i : s.neurons(l))
            for (const Index j : s.neurons(m))
                if (l < m || i <= j) list.add({i, j});
    }

    static bool forms_apart(const HessianShape& s, Index m) { return m == s.top() - 1 || s.gauss_newton; }

    // B_lm[i,j] for `count` rows, by runs of equal i and consecutive j.
    template <class T>
    static void right_rows(Block<T>& at, const RightRow* right, Index count, RowsView<T> out) {
        for (Index first = 0; first < count;) {
            Index end = first + 1;
            while (end < count && right[end].i == right[first].i && right[end].j == right[end - 1].j + 1) ++end;
            curvatures(at, right[first].i, right[first].j, end - first, out.from_row(first));
            first = end;
        }
    }

private:
    // B_lm[i, j … j + count − 1].
    template <class T>
    static void curvatures(Block<T>& at, Index i, Index j, Index count, RowsView<T> rows) {
        Segment<T>& s = at.segment;
        const Index l = at.l, m = at.m, n = s.size();
        if (l == m && at.shape.alike(m)) {
            for (Index r = 0; r < count; ++r)
                rows.array(r, n) = s.common_outputs(m, i, j + r) * s.loss(0) * s.slope(m, i) * s.slope(m, j + r);
        } else if (m == at.shape.top() - 1 && s.network.outputs() > 1) {
            // F_m[k,j] = V_L[j,k] σ'_m[j], where E_l[·,i] stays in the L1 cache for all j.
            const Matrix<T>& v = s.parameters.backward[m + 1];
            combine<T>(v.data() + j * v.cols(), v.cols(), count, v.cols(), s.all_weighted(l, i), rows, n);
            for (Index r = 0; r < count; ++r) rows.array(r, n) *= s.slope(m, j + r);
        } else {
            for (Index r = 0; r < count; ++r)
                multiply_rows<T>(s.to_outputs(l, i), s.all_weighted(m, j + r), s.network.outputs(), n, rows.row(r));
        }
        if (s.gauss_newton) return;
        for (Index r = 0; r < count; ++r) {
            Row<T> out = rows.array(r, n);
            if (l == m && i == j + r) out += s.curvature(l, i);
            if (l < m) out += s.to_hidden(l, m, i, j + r) * s.curvature(m, j + r);
        }
        for (Index q = m + 1; q < s.top(); ++q) add_layer(at, q, i, j, count, rows);
    }

    // Rows += Σ_u Z_lq[i,u] e_q[u] Z_mq[j,u], m < q < L.
    template <class T>
    static void add_layer(Block<T>& at, Index q, Index i, Index j, Index count, RowsView<T> rows) {
        Segment<T>& s = at.segment;
        const Index m = at.m, n = s.size(), width = s.network.layer(q).width;
        for (Index u = 0; u < width; ++u) at.weighted.array(u, n) = s.to_hidden(at.l, q, i, u) * s.curvature(q, u);
        if (q == m + 1) {
            combine<T>(s.parameters.backward[q].data() + j * width, width, count, width, at.weighted, at.combined, n);
            for (Index r = 0; r < count; ++r) rows.array(r, n) += s.slope(m, j + r) * at.combined.array(r, n);
        } else {
            for (Index r = 0; r < count; ++r)
                for (Index u = 0; u < width; ++u)
                    rows.array(r, n) += at.weighted.array(u, n) * s.to_hidden(m, q, j + r, u);
        }
    }
};

// Left rows φ[x] of one of the two layers.
template <bool lower_layer>
struct Features {
    static constexpr bool forms_left = false, left_is_lower = lower_layer;

    static Index left_count(const HessianShape& s, Index l, Index m) {
        return std::ssize(s.features(lower_layer ? l : m));
    }

    // The feature that left row x is.
    template <class T>
    static Index feature(const Block<T>& at, Index x) {
        return at.shape.features(lower_layer ? at.l : at.m)[x];
    }

    static Range needed(const HessianShape& s, Index l, Index m, const RightRow&) { return {0, left_count(s, l, m)}; }

    template <class T>
    static const T* left_row(Block<T>& at, Index x, Row<T>) {
        return at.segment.phi(lower_layer ? at.l : at.m, feature(at, x)).data();
    }
};

struct ToOutput : Features<false> {
    static constexpr int stage = 0;

    static bool serves(const HessianShape& s, Index l, Index m) { return l < m && m == s.top() && !s.alike(l); }

    template <class List>
    static void right_rows(const HessianShape& s, Index l, Index, List& list) {
        for (const Index k : s.neurons(s.top()))
            for (const Index i : s.neurons(l))
                for (const Index a : s.features(l)) list.add({i, k, a, 0});
    }

    template <class T>
    static const T* right_row(Block<T>& at, const RightRow& right, Row<T> out) {
        const Row<T> e = at.segment.weighted(at.l, right.j, right.i);
        if (at.segment.is_bias(at.l, right.a)) return e.data();
        out = e * at.segment.phi(at.l, right.a);
        return out.data();
    }

    template <class T, class Add>
    static void place(const Block<T>& at, const RightRow& right, Range left, Add add) {
        for (Index x = left.begin; x < left.end; ++x) add(x, right.i, right.a, right.j, feature(at, x));
    }
};

struct ToOutputsAlike : Features<false> {
    static constexpr int stage = 0;

    static bool serves(const HessianShape& s, Index l, Index m) { return l < m && m == s.top() && s.alike(l); }

    template <class List>
    static void right_rows(const HessianShape& s, Index l, Index, List& list) {
        for (const Index i : s.neurons(l))
            for (const Index a : s.features(l)) list.add({i, 0, a, 0});
    }

    template <class T>
    static const T* right_row(Block<T>& at, const RightRow& right, Row<T> out) {
        out = at.segment.loss(0) * at.segment.slope(at.l, right.i) * at.segment.phi(at.l, right.a);
        return out.data();
    }

    template <class T, class Add>
    static void place(const Block<T>& at, const RightRow& right, Range left, Add add) {
        const Matrix<T>& v = at.segment.parameters.backward[at.m];
        for (const Index k : at.shape.neurons(at.m)) {
            const T factor = v(right.i, k);
            for (Index x = left.begin; x < left.end; ++x) add(x, right.i, right.a, k, feature(at, x), factor);
        }
    }
};

// The output layer of a loss that couples many outputs.
struct OutputPairs : FeaturePairs {
    // Where it forms fewer rows: here M and, for every group of its rows, the pairs of features; there those of one
    // factor for every pair of outputs.
    static bool serves(const HessianShape& s, Index l, Index m) {
        if (l != m || m != s.top() || s.diagonal_loss) return false;
        const Index outputs = std::ssize(s.neurons(l)), features = std::ssize(s.features(l));
        const Index rows = outputs * (outputs + 1) / 2, groups = (rows + right_group - 1) / right_group;
        return rows + groups * left_count(s, l, l) <= rows * features;
    }

    template <class List>
    static void right_rows(const HessianShape& s, Index l, Index, List& list) {
        for (const Index k : s.neurons(l))
            for (const Index j : s.neurons(l))
                if (k <= j) list.add({k, j});
    }

    // M_kj.
    template <class T>
    static const T* right_row(Block<T>& at, const RightRow& right, Row<T> out) {
        if (right.i == right.j) return at.segment.loss(right.i).data();
        out = -(at.segment.coupling(right.i) * at.segment.coupling(right.j));
        return out.data();
    }
};

struct WithinOutput : Features<true> {
    static constexpr int stage = 0;

    static bool serves(const HessianShape& s, Index l, Index m) {
        return l == m && m == s.top() && !OutputPairs::serves(s, l, m);
    }

    // With M = w I one output's block serves all (complete.hpp).
    template <class List>
    static void right_rows(const HessianShape& s, Index l, Index, List& list) {
        for (const Index k : s.neurons(l)) {
            for (const Index j : s.neurons(l)) {
                if (j < k || (s.diagonal_loss && j > k)) continue;
                for (const Index c : s.features(l)) list.add({k, j, 0, c});
                list.end_group();
            }
            if (s.constant_loss) return;
        }
    }

    static Range needed(const HessianShape& s, Index l, Index, const RightRow& right) {
        return {0, s.selection.feature_rank(l, right.c) + 1};
    }

    template <class T>
    static const T* right_row(Block<T>& at, const RightRow& right, Row<T> out) {
        const T* const curvature = OutputPairs::right_row(at, right, out);
        if (at.segment.is_bias(at.l, right.c)) return curvature;
        out = Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>>(curvature, at.segment.size()) *
              at.segment.phi(at.l, right.c);
        return out.data();
    }

    template <class T, class Add>
    static void place(const Block<T>& at, const RightRow& right, Range left, Add add) {
        for (Index x = left.begin; x < left.end; ++x) add(x, right.i, feature(at, x), right.j, right.c);
    }
};

struct MovedFeatures : Features<true> {
    static constexpr int stage = 1;

    static bool serves(const HessianShape& s, Index l, Index m) { return l < m && !s.gauss_newton; }

    // For m = l + 1 only the feature c = i of layer m moves with z_l[i].
    template <class List>
    static void right_rows(const HessianShape& s, Index l, Index m, List& list) {
        const bool next = m == l + 1;
        for (const Index i : s.neurons(l))
            for (const Index c : s.features(m)) {
                if (next ? c != i : c == s.network.layer(m).fan_in) continue;
                for (const Index j : s.neurons(m)) list.add({i, j, 0, c});
            }
    }

    template <class T>
    static const T* right_row(Block<T>& at, const RightRow& right, Row<T> out) {
        Segment<T>& s = at.segment;
        const Index l = at.l, m = at.m;
        const T multiplier = s.network.layer(m).template multiplier<T>();
        if (m == l + 1)
            out = multiplier * s.delta(m, right.j) * s.slope(l, right.i);
        else
            out =
                multiplier * s.delta(m, right.j) * (s.to_hidden(l, m - 1, right.i, right.c) * s.slope(m - 1, right.c));
        return out.data();
    }

    template <class T, class Add>
    static void place(const Block<T>& at, const RightRow& right, Range left, Add add) {
        for (Index x = left.begin; x < left.end; ++x) add(x, right.i, feature(at, x), right.j, right.c);
    }
};

using Products = std::tuple<KhatriRao, RankOne, RankOneAlike, ToOutput, ToOutputsAlike, WithinOutput, OutputPairs,
                            OwnCurvature, MovedFeatures>;

}  // namespace hessorbit
