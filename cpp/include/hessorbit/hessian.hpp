// The exact Hessian, block by block. Between W̃_l[i,a] and W̃_m[j,c], l ≤ m,
//
//     H = Σ_n φ_l[a] φ_m[c] B_lm[i,j]   +   [l < m, c not the bias]  Σ_n φ_l[a] δ_m[j] ∂φ_m[c]/∂z_l[i]
//
// with B_lm = Σ_{q ≥ m} Z_lq C_q Z_mqᵀ (sensitivity.hpp). Each sum is a matrix product over samples, Σ_n left_x right_r
// (rows.hpp), for some split of its factors into left rows and right rows:
//
//     Khatri–Rao        left φ_l[a] φ_m[c]       right B_lm[i,j]                        hidden with hidden layers
//     rank one          left E_l[j]              right F_l[i] φ_l[a] φ_l[c]             last hidden layer, one output
//     to the output     left φ_L[c]              right E_l[k,i] φ_l[a]                  hidden with output layer
//     to outputs alike  left φ_L[c]              right w σ'_l[i] φ_l[a]                 the last one, if M = w I, K > 1
//     within output     left φ_L[a]              right M_kj φ_L[c]
//     weights           left φ_l[a]              right δ_m[j] ∂φ_m[c]/∂z_l[i]           the second sum
//
// Squared error has M = w I, so that in the last hidden layer E_l[k,i] = V_L[i,k] w σ'_l[i]: one product serves all
// outputs, each with its own factor V_L[i,k].
//
// In a diagonal block both factors are symmetric, so only a ≤ c and i ≤ j are formed: N P_l²/2 flops. The Gauss–Newton
// matrix is the first sum with the term q = L of B alone.
//
// The sums of a chunk go to their places in the upper triangle of H, and the rest is filled by symmetry at the end, so
// that no memory beyond H, a chunk's rows and the sums of one task per thread is needed.
#pragma once

#include "sensitivity.hpp"
#include "kernel/team.hpp"

#include <atomic>

namespace hessorbit {

// A right row, by the indices it carries; what they mean depends on the kind of product.
struct RightRow {
    Index i = 0, j = 0, a = 0, c = 0;
};

// Right rows first … first + count − 1 of the plan against left rows of block (l, m). One thread does one task.
struct HessianTask {
    enum class Kind { khatri_rao, curvature, rank_one, to_output, to_outputs_alike, within_output, weights };

    Kind kind;
    Index l, m;
    Index first, count;
    Index left_first, left_count;
};

// All tasks of a Hessian, fixed by the network, in two stages. No two tasks of a stage write the same place, and the
// second stage, of tasks that add to what others wrote, starts when the first is finished: so results do not depend on
// who does which.
class HessianPlan {
public:
    using Kind = HessianTask::Kind;
    static constexpr Index group = 48;       // right rows at once
    static constexpr Index left_most = 512;  // left rows of a Khatri–Rao task
    static constexpr int stages = 2;

    HessianPlan(const Network& network, bool gauss_newton, bool diagonal_loss, bool constant_loss)
        : network_(network), depth_(network.depth()), pairs_(depth_ * depth_) {
        const Index top = depth_ - 1;
        for (Index l = 0; l < top; ++l)
            for (Index m = l; m < top; ++m) add_hidden(l, m, gauss_newton);
        for (Index l = 0; l < top; ++l) add_to_output(l, constant_loss && l == top - 1 && network.outputs() > 1);
        for (Index l = 0; l < top && !gauss_newton; ++l)
            for (Index m = l + 1; m <= top; ++m) add_weights(l, m);
        add_within_output(diagonal_loss, constant_loss);
    }

    const std::vector<HessianTask>& tasks(int stage) const { return tasks_[stage]; }
    const RightRow& right(Index r) const { return rows_[r]; }
    const std::vector<RightRow>& pairs(Index l, Index m) const { return pairs_[l * depth_ + m]; }  // (a, c)

private:
    // Right rows appended since `first`, cut into groups.
    template <class Left>
    void cut(Kind kind, Index l, Index m, Index first, Left left) {
        const Index end = static_cast<Index>(rows_.size());
        const int stage = kind == Kind::curvature || kind == Kind::weights;
        for (; first < end; first += group) {
            const Index count = std::min(group, end - first);
            const Range range = left(rows_[first], rows_[first + count - 1]);
            for (Index x = range.begin; x < range.end; x += left_most)
                tasks_[stage].push_back({kind, l, m, first, count, x, std::min(left_most, range.end - x)});
        }
    }

    void add_hidden(Index l, Index m, bool gauss_newton) {
        const Layer &lower = network_.layer(l), &upper = network_.layer(m);
        std::vector<RightRow>& pairs = pairs_[l * depth_ + m];
        for (Index a = 0; a < lower.features(); ++a)
            for (Index c = l == m ? a : 0; c < upper.features(); ++c) pairs.push_back({0, 0, a, c});
        const Index left = static_cast<Index>(pairs.size()), width = lower.width;
        const auto all = [&](auto&, auto&) { return Range{0, left}; };

        Index first = static_cast<Index>(rows_.size());
        // Rows to form: pairs once for every neuron, or pairs once for every group of B besides B itself.
        const Index neurons = width * (width + 1) / 2, groups = (neurons + group - 1) / group;
        if (l == m && m == depth_ - 2 && network_.outputs() == 1 && left * width <= neurons + groups * left) {
            for (Index i = 0; i < width; ++i)
                for (const RightRow& pair : pairs) rows_.push_back({i, 0, pair.a, pair.c});
            cut(Kind::rank_one, l, m, first, [&](auto& begin, auto&) { return Range{begin.i, width}; });
            first = static_cast<Index>(rows_.size());
            for (Index i = 0; i < width && !gauss_newton; ++i) rows_.push_back({i, i});
            cut(Kind::curvature, l, m, first, all);
            return;
        }
        for (Index i = 0; i < width; ++i)
            for (Index j = l == m ? i : 0; j < upper.width; ++j) rows_.push_back({i, j});
        cut(Kind::khatri_rao, l, m, first, all);
    }

    void add_to_output(Index l, bool alike) {
        const Index first = static_cast<Index>(rows_.size()), left = network_.last().features();
        for (Index k = 0; k < (alike ? 1 : network_.outputs()); ++k)
            for (Index i = 0; i < network_.layer(l).width; ++i)
                for (Index a = 0; a < network_.layer(l).features(); ++a) rows_.push_back({i, k, a, 0});
        cut(alike ? Kind::to_outputs_alike : Kind::to_output, l, depth_ - 1, first,
            [&](auto&, auto&) { return Range{0, left}; });
    }

    // For m = l + 1 only the feature c = i of layer m moves with z_l[i].
    void add_weights(Index l, Index m) {
        const Index first = static_cast<Index>(rows_.size()), left = network_.layer(l).features();
        const Index width = network_.layer(l).width, fan_in = network_.layer(m).fan_in;
        for (Index i = 0; i < width; ++i)
            for (Index c = m == l + 1 ? i : 0; c < (m == l + 1 ? i + 1 : fan_in); ++c)
                for (Index j = 0; j < network_.layer(m).width; ++j) rows_.push_back({i, j, 0, c});
        cut(Kind::weights, l, m, first, [&](auto&, auto&) { return Range{0, left}; });
    }

    // Squared error has M = w I: one output's block serves all (complete_hessian).
    void add_within_output(bool diagonal_loss, bool constant_loss) {
        const Index outputs = network_.outputs(), features = network_.last().features();
        for (Index k = 0; k < (constant_loss ? 1 : outputs); ++k)
            for (Index j = k; j < (diagonal_loss ? k + 1 : outputs); ++j) {
                const Index first = static_cast<Index>(rows_.size());
                for (Index c = 0; c < features; ++c) rows_.push_back({k, j, 0, c});
                cut(Kind::within_output, depth_ - 1, depth_ - 1, first,
                    [&](auto&, auto& end) { return Range{0, end.c + 1}; });
            }
    }

    const Network& network_;
    Index depth_;
    std::vector<std::vector<RightRow>> pairs_;
    std::vector<RightRow> rows_;
    std::vector<HessianTask> tasks_[stages];
};

// What one thread needs besides the tape: a block of left rows, a group of right rows, rows in between, and the sums.
template <class T>
struct HessianScratch {
    static constexpr Index segment = 512;  // samples at once: the right rows of a tile stay in the L1 cache
    static constexpr Index left_block = 48;

    Rows<T> left, group, weighted, combined;
    std::vector<const T*> left_rows, right_rows;  // of the current task: here, or where they were already
    std::vector<T> sums;                          // (left_most, group)
    Matrix<T> coefficients;

    HessianScratch(const Network& network, Index columns) {
        const Index n = row_stride(std::min(columns, segment));
        Index width = 1, product = 1;
        for (Index l = 0; l + 1 < network.depth(); ++l) {
            width = std::max(width, network.layer(l).width);
            product = std::max(product, network.layer(l).width * network.layer(l + 1).width);
        }
        left.setZero(left_block, n);
        group.setZero(HessianPlan::group, n);
        left_rows.resize(HessianPlan::left_most);
        right_rows.resize(HessianPlan::group);
        weighted.setZero(width, n);
        combined.setZero(HessianPlan::group, n);
        sums.resize(HessianPlan::left_most * HessianPlan::group);
        coefficients.setZero(1, product);
    }
};

template <class T>
class HessianAssembler {
public:
    HessianAssembler(const Network& network, const Parameters<T>& parameters, const HessianPlan& plan, Tape<T>& tape,
                     Sensitivity<T>& sensitivity, bool gauss_newton, HessianScratch<T>& scratch, T* hessian)
        : network_(network), parameters_(parameters), plan_(plan), tape_(tape), z_(sensitivity),
          gauss_newton_(gauss_newton), s_(scratch), hessian_(hessian), p_(network.num_parameters()),
          top_(network.depth() - 1) {}

    // Adds samples 0 … n − 1 of the tape to the upper triangle of H, with whoever else draws tasks of a stage from `next`.
    void add(Index n, int stage, std::atomic<Index>& next) {
        const std::vector<HessianTask>& tasks = plan_.tasks(stage);
        const Index count = static_cast<Index>(tasks.size());
        for (Index t = next++; t < count; t = next++) run(tasks[t], n);
    }

private:
    using Kind = HessianTask::Kind;
    static constexpr Index tile = Lanes<T>::right;

    RowsView<T> view(Rows<T>& rows) const { return RowsView<T>(rows).from_column(c_.begin); }
    Row<T> row(Rows<T>& rows, Index i) const { return view(rows).array(i, c_.size); }
    Row<T> group_row(Index r) { return RowsView<T>(s_.group).array(r, c_.size); }
    RowsView<T> features(Index l) const { return tape_.phi(l).from_column(c_.begin); }
    Row<T> phi(Index l, Index a) { return features(l).array(a, c_.size); }
    bool is_bias(Index l, Index a) const { return a == network_.layer(l).fan_in; }

    void run(const HessianTask& task, Index n) {
        const bool pairs = task.kind == Kind::khatri_rao || task.kind == Kind::curvature;
        std::fill_n(s_.sums.begin(), task.left_count * task.count, T(0));
        for (Index begin = 0; begin < n; begin += s_.segment) {
            c_ = {begin, std::min(s_.segment, n - begin)};
            if (pairs) {
                form_right(task, 0, task.count);
                contract_pairs(task);
            } else {
                // Right rows are used at once, a register tile of them at a time, so they never leave the L1 cache.
                find_left(task);
                for (Index r = 0; r < task.count; r += tile) {
                    const Index count = std::min(tile, task.count - r);
                    form_right(task, r, count);
                    contract_rows(task, needed_left(task, r, count), r, count);
                }
            }
        }
        place(task);
    }

    void find_left(const HessianTask& task) {
        const bool to_output = task.kind == Kind::to_output || task.kind == Kind::to_outputs_alike;
        const RowsView<T> rows = task.kind == Kind::rank_one ? view(z_.weighted[task.l])
                                 : to_output                 ? features(top_)
                                                             : features(task.l);
        for (Index x = 0; x < task.left_count; ++x) s_.left_rows[x] = rows.row(task.left_first + x);
    }

    // The left rows that the right rows first … first + count − 1 need, where symmetry gives the others.
    Range needed_left(const HessianTask& task, Index first, Index count) const {
        const RightRow* right = &plan_.right(task.first + first);
        Range needed{0, task.left_count};
        if (task.kind == Kind::rank_one) needed.begin = std::max<Index>(0, right[0].i - task.left_first);
        if (task.kind == Kind::within_output)
            needed.end = std::min(task.left_count, right[count - 1].c + 1 - task.left_first);
        return needed;
    }

    // sums[x, r] += Σ_n left_x(n) right_r(n) for x in left, r = right_first … ; the table of right rows starts there.
    void contract_rows(const HessianTask& task, Range left, Index right_first, Index right_count) {
        T* sums = s_.sums.data() + left.begin * task.count + right_first;
        contract<T>(RowTable<T>{s_.left_rows.data() + left.begin}, left.end - left.begin,
                    RowTable<T>{s_.right_rows.data()}, right_count, c_.size,
                    [&](Index x, Index r, T value) { sums[x * task.count + r] += value; });
    }

    void contract_pairs(const HessianTask& task) {
        const RightRow* pairs = plan_.pairs(task.l, task.m).data() + task.left_first;
        for (Index first = 0; first < task.left_count; first += s_.left_block) {
            const Index count = std::min(s_.left_block, task.left_count - first);
            for (Index x = 0; x < count; ++x) {
                const auto [i, j, a, c] = pairs[first + x];
                Row<T> out = RowsView<T>(s_.left).array(x, c_.size);
                if (!is_bias(task.l, a) && !is_bias(task.m, c)) out = phi(task.l, a) * phi(task.m, c);
                s_.left_rows[first + x] = is_bias(task.m, c)   ? features(task.l).row(a)
                                          : is_bias(task.l, a) ? features(task.m).row(c)
                                                               : out.data();
            }
            contract_rows(task, {first, first + count}, 0, task.count);
        }
    }

    // H += sums, each at its place, row by row of H.
    void place(const HessianTask& task) {
        const Layer &lower = network_.layer(task.l), &upper = network_.layer(task.m);
        const auto add = [&](Index x, Index r, Index i, Index a, Index j, Index c) {
            hessian_[lower.parameter(i, a) * p_ + upper.parameter(j, c)] += s_.sums[x * task.count + r];
        };
        const RightRow* right = &plan_.right(task.first);
        if (task.kind == Kind::khatri_rao || task.kind == Kind::curvature) {
            const RightRow* pair = plan_.pairs(task.l, task.m).data() + task.left_first;
            for (Index r = 0; r < task.count; ++r)
                for (Index x = 0; x < task.left_count; ++x) add(x, r, right[r].i, pair[x].a, right[r].j, pair[x].c);
        } else if (task.kind == Kind::rank_one) {
            for (Index r = 0; r < task.count; ++r) {
                const auto [i, j, a, c] = right[r];
                const Index step = upper.step(c);
                T* to = hessian_ + lower.parameter(i, a) * p_ + upper.start(c) + task.left_first * step;
                for (Index x = std::max<Index>(0, i - task.left_first); x < task.left_count; ++x)
                    to[x * step] += s_.sums[x * task.count + r];
            }
        } else if (task.kind == Kind::to_output) {
            for (Index r = 0; r < task.count; ++r) {
                T* to = hessian_ + lower.parameter(right[r].i, right[r].a) * p_;
                for (Index x = 0; x < task.left_count; ++x)
                    to[upper.parameter(right[r].j, task.left_first + x)] += s_.sums[x * task.count + r];
            }
        } else if (task.kind == Kind::to_outputs_alike) {
            for (Index r = 0; r < task.count; ++r)
                for (Index k = 0; k < network_.outputs(); ++k) {
                    const T factor = parameters_.backward[top_](right[r].i, k);
                    for (Index x = 0; x < task.left_count; ++x)
                        hessian_[lower.parameter(right[r].i, right[r].a) * p_ +
                                 upper.parameter(k, task.left_first + x)] += factor * s_.sums[x * task.count + r];
                }
        } else {
            for (Index x = 0; x < task.left_count; ++x)
                for (Index r = 0; r < task.count; ++r)
                    add(x, r, right[r].i, task.left_first + x, right[r].j, right[r].c);
        }
    }

    // Points the table at the right rows first … first + count − 1 of the task, formed at the start of the group unless
    // they are there already: a product with the feature of a bias, which is 1, takes no forming.
    void form_right(const HessianTask& task, Index first, Index count) {
        for (Index r = 0; r < count; ++r) s_.right_rows[r] = RowsView<T>(s_.group).row(r);
        if (task.kind == Kind::khatri_rao) return form_curvature(task);
        for (Index r = 0; r < count; ++r) {
            const T* ready = form_right_row(task, plan_.right(task.first + first + r), group_row(r));
            if (ready) s_.right_rows[r] = ready;
        }
    }

    // Writes the row to out, or returns where it is.
    const T* form_right_row(const HessianTask& task, const RightRow& at, Row<T> out) {
        const Index l = task.l, width = network_.layer(l).width;
        switch (task.kind) {
            case Kind::curvature: return view(tape_.curvature[l]).row(at.i);
            case Kind::rank_one: {
                const Row<T> f = row(z_.to_output[l], at.i);
                if (is_bias(l, at.a)) return f.data();
                if (is_bias(l, at.c)) out = f * phi(l, at.a);
                else out = f * phi(l, at.a) * phi(l, at.c);
                break;
            }
            case Kind::to_output: {
                const Row<T> e = row(z_.weighted[l], at.j * width + at.i);
                if (is_bias(l, at.a)) return e.data();
                out = e * phi(l, at.a);
                break;
            }
            case Kind::to_outputs_alike: out = row(tape_.hessian, 0) * row(tape_.slope[l], at.i) * phi(l, at.a); break;
            case Kind::within_output: {
                const Row<T> m = row(tape_.hessian, at.i * network_.outputs() + at.j);
                if (is_bias(top_, at.c)) return m.data();
                out = m * phi(top_, at.c);
                break;
            }
            default: form_weights(task, at, out);
        }
        return nullptr;
    }

    // δ_m[j] ∂φ_m[c]/∂z_l[i]: W_m acts on features that W_l moves.
    void form_weights(const HessianTask& task, const RightRow& at, Row<T> out) {
        const Index l = task.l, m = task.m;
        const T s = network_.layer(m).template multiplier<T>();
        if (m == l + 1) out = s * row(tape_.delta[m], at.j) * row(tape_.slope[l], at.i);
        else out = s * row(tape_.delta[m], at.j) * (to_hidden(l, m - 1, at.i, at.c) * row(tape_.slope[m - 1], at.c));
    }

    // Rows B_lm[i,j] of a Khatri–Rao task, by runs of equal i.
    void form_curvature(const HessianTask& task) {
        for (Index r = 0; r < task.count;) {
            const RightRow& at = plan_.right(task.first + r);
            Index end = r + 1;
            while (end < task.count && plan_.right(task.first + end).i == at.i) ++end;
            curvature_rows(task.l, task.m, at.i, at.j, end - r, r);
            r = end;
        }
    }

    // Writes the rows B_lm[i, j … j + count − 1] to the group, from row `start`.
    void curvature_rows(Index l, Index m, Index i, Index j, Index count, Index start) {
        const Index width = network_.layer(l).width, above = network_.layer(m).width;
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

    const Network& network_;
    const Parameters<T>& parameters_;
    const HessianPlan& plan_;
    Tape<T>& tape_;
    Sensitivity<T>& z_;
    bool gauss_newton_;
    HessianScratch<T>& s_;
    T* hessian_;
    Index p_, top_;
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
