// Losses ℓ of one sample, from the outputs f (K) of the network and the targets y (K):
//
//     squared_error   ℓ = ½ Σ_k (f_k − y_k)²                       r = f − y                    M = I
//     cross_entropy   ℓ = Σ_k p_k (log Σ_j e^{f_j} − f_k)          r = (Σp) q − p               M = (Σp)(diag q − q qᵀ)
//     logistic        ℓ = Σ_k (1−y_k) s(f_k) + y_k s(−f_k)         r_k = (1−y_k)q_k − y_k q̄_k    M = diag(q_k q̄_k)
//     huber           ℓ = Σ_k ½ d_k², or δ|d_k| − ½ δ² beyond δ    r_k = d_k, or ±δ             M = diag(1, or 0)
//     poisson         ℓ = Σ_k e^{f_k} − y_k f_k                    r = e^f − y                  M = diag(e^f)
//
// with r = ∂ℓ/∂f, M = ∂²ℓ/∂f², q = softmax(f), or q_k = sigmoid(f_k) and q̄_k = sigmoid(−f_k), s(z) = log(1 + e^z), and
// d = f − y. At the kink of huber, |d_k| = δ, M_kk is 1. Differences of nearly equal probabilities are never formed:
// 1 − q_k is the sum of the other q_j, those before and those after it, so that small residuals keep their digits. Each
// of e^f, q_k, q̄_k, s(f_k) and M_kk is within 4 ulp, as activations are, for the f that is given; sums over K outputs add
// their own roundings. All work is lane by lane: what a sample gets does not depend on its place.
//
// Every M is a diagonal and, for the loss that couples its outputs, a product beside it: M_kj = −c_k c_j for k ≠ j. So
// it takes 2 K numbers and not K².
//
// One table says everything about a loss: its name, the targets it takes, the form of M, whether it sees differences of
// outputs only, the name and default of its parameter, and its formulas. Adding one means an enumerator, an entry and its
// formula in the tests' references. ℓ has to be convex in f: the Gauss–Newton matrix has a root A with AᵀA = M, and that
// is among the formulas.
#pragma once

#include "activation.hpp"
#include "kernel/elementary.hpp"
#include "kernel/rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace hessorbit {

enum class LossKind { squared_error, cross_entropy, logistic, huber, poisson };

struct Loss {
    LossKind kind = LossKind::squared_error;
    double parameter = 0;
};

// What the targets of an output may be; `probabilities` are rows that sum to one, or labels in their place.
enum class TargetKind { real, unit_interval, probabilities, nonnegative };

// M of a sample without its weight: the identity everywhere, diagonal, or any.
enum class CurvatureForm { identity, diagonal, full };

// All that is known of a loss but its formulas.
struct LossDescription {
    LossKind kind;
    std::string_view name;
    TargetKind targets;
    CurvatureForm curvature;
    bool shift_invariant = false;  // whether the same number added to all outputs leaves ℓ as it is
    std::string_view parameter{};  // its name, if ℓ has one; it is positive
    double default_parameter = 0;
};

namespace losses {

// One output's part of ℓ, of r and of M, of a SIMD vector of samples or of one number.
template <class V>
struct Terms {
    V value, residual, curvature;
};

// A formula is a struct that says the terms of an output and the root of its M, or, where outputs are coupled, both for
// all of them.
struct Formula {
    double parameter = 0;
};

struct SquaredError : Formula {
    template <class V>
    Terms<V> terms(V f, V y) const {
        const V d = f - y;
        return {activations::half(d * d), d, constant<V>(1)};
    }

    template <class T>
    T root(T, T) const { return 1; }
};

struct Logistic : Formula {
    // With a = |f|, log(1 + e^f) = max(f, 0) + log(1 + e^{−a}).
    template <class V>
    Terms<V> terms(V f, V y) const {
        const V a = magnitude(f), below = activations::half(f + a), above = activations::half(a - f), rest = 1 - y;
        const activations::Logistic<V> l(activations::half(-a));
        const V q = f < 0 ? l.lower : l.upper, complement = f < 0 ? l.upper : l.lower;
        return {multiply_add(rest, below, multiply_add(y, above, activations::softplus(-a).value)),
                multiply_add(rest, q, -(y * complement)), l.bell()};
    }

    template <class T>
    T root(T f, T) const {
        const T decay = std::exp(-std::abs(f) / 2);
        return decay / (1 + decay * decay);
    }
};

struct Huber : Formula {
    template <class V>
    Terms<V> terms(V f, V y) const {
        const Lane<V> delta = parameter;
        const V d = f - y, a = magnitude(d), inside = a <= delta ? constant<V>(1) : V{};
        return {a <= delta ? activations::half(d * d) : delta * (a - delta / 2), at_most(at_least(d, -delta), delta),
                inside};
    }

    template <class T>
    T root(T f, T y) const { return terms(f, y).curvature; }
};

struct Poisson : Formula {
    template <class V>
    Terms<V> terms(V f, V y) const {
        const V mean = activations::exp(f).value;
        return {multiply_add(-y, f, mean), mean - y, mean};
    }

    template <class T>
    T root(T f, T) const { return std::exp(f / 2); }
};

// The loss that couples its outputs.
struct CrossEntropy : Formula {
    // As evaluate_loss.
    template <class T>
    [[gnu::flatten]] static void evaluate(Index outputs, RowsView<T> f, RowsView<const T> y, const T* weight, Index n,
                                          T* value, RowsView<T> residual, RowsView<T> diagonal, RowsView<T> coupling) {
        using V = Register<T>;
        using detail::lanes;
        for (Index i = 0; i < n; i += Lanes<T>::count) {
            const V w = lanes(weight + i);
            V shift = lanes(f.row(0) + i), top = {};
            for (Index k = 1; k < outputs; ++k) {
                const V z = lanes(f.row(k) + i);
                top = z > shift ? constant<V>(static_cast<T>(k)) : top;
                shift = z > shift ? z : shift;
            }
            V others = {}, mass = {}, inner = {};  // Σ_{k≠top} e^{f_k − f_top}; Σ p; Σ p_k (f_k − f_top)
            for (Index k = 0; k < outputs; ++k) {
                const V p = lanes(y.row(k) + i), z = V(lanes(f.row(k) + i)) - shift, e = activations::exp(z).value;
                others += top == static_cast<T>(k) ? V{} : e;
                mass += p;
                inner = p != 0 ? multiply_add(p, z, inner) : inner;
                lanes(f.row(k) + i) = top == static_cast<T>(k) ? constant<V>(1) : e;
            }
            if (value) lanes(value + i) = w * multiply_add(mass, elementary::log_one_plus(others), -inner);
            if (residual.data || diagonal.data)
                differentiate<T>(outputs, i, f, y, w, mass, 1 / (1 + others), residual, diagonal, coupling);
        }
    }

    // xᵀMx is Σp times the variance of a random x_k that has the probability q_k. Taking the outputs by decreasing q, and
    // with m_k the mean of those after the k-th, the law of total variance says that it is
    //
    //     Σp Σ_{k<K} (q_k S_k / T_k) (x_k − m_k)²,     S_k = Σ_{j>k} q_j,  T_k = q_k + S_k,
    //     q_k S_k / T_k = e^{f_{k+1} − f_1} t_{k+1} / (t_1 t_k),     t_k = Σ_{j≥k} e^{f_j − f_k}
    //
    // and A has a row for each of the K − 1 squares. Only differences of x are formed, and those are the data's own; and
    // (A x)_k is representable where its square is not.
    template <class T>
    static void root(std::span<const T> f, T mass, std::span<Index> order, std::span<T> scale, std::span<T> share) {
        using std::exp, std::sqrt;
        const Index last = static_cast<Index>(f.size()) - 1;
        std::iota(order.begin(), order.end(), Index(0));
        if (!std::ranges::all_of(f, [](T z) { return z - z == 0; })) {  // no order among NaN
            std::ranges::fill(scale, std::numeric_limits<T>::quiet_NaN());
            return;
        }
        std::sort(order.begin(), order.end(), [&](Index a, Index b) { return f[a] > f[b] || (f[a] == f[b] && a < b); });
        T tail = 1;
        share[last] = 1, scale[last] = 0;
        for (Index k = last - 1; k >= 0; --k) {
            const T above = tail;
            tail = 1 + exp(f[order[k + 1]] - f[order[k]]) * tail;
            share[k] = 1 / tail;
            scale[k] = exp((f[order[k + 1]] - f[order[0]]) / 2) * sqrt(above / tail);
        }
        for (Index k = 0; k < last; ++k) scale[k] *= sqrt(mass / tail);
    }

private:
    // q, r and M of one SIMD vector of samples, from column i on: from e^{f_k − f_top} in f and `scale`, which makes it q.
    template <class T>
    static void differentiate(Index outputs, Index i, RowsView<T> f, RowsView<const T> y, Register<T> weight,
                              Register<T> mass, Register<T> scale, RowsView<T> residual, RowsView<T> diagonal,
                              RowsView<T> coupling) {
        using V = Register<T>;
        const auto at = [i](const auto& rows, Index k) -> auto& { return detail::lanes(rows.row(k) + i); };
        const V curvature = weight * mass, root = square_root(curvature);
        V q_before = {}, p_before = {}, q_after = {}, p_after = {};
        for (Index k = 0; k < outputs; ++k) {
            const V q = at(f, k) * scale, p = at(y, k);
            at(f, k) = q;
            if (residual.data) at(residual, k) = multiply_add(q, p_before, -(p * q_before));
            if (diagonal.data) at(diagonal, k) = q_before;
            if (coupling.data) at(coupling, k) = root * q;
            q_before += q, p_before += p;
        }
        for (Index k = outputs - 1; k >= 0; --k) {
            const V q = at(f, k), p = at(y, k);
            if (residual.data) at(residual, k) = weight * (at(residual, k) + multiply_add(q, p_after, -(p * q_after)));
            if (diagonal.data) at(diagonal, k) = curvature * q * (at(diagonal, k) + q_after);
            q_after += q, p_after += p;
        }
    }
};

template <class Formula>
struct Entry {
    LossDescription description;
    Formula formula{};
};

inline constexpr auto entries = std::tuple{
    Entry<SquaredError>{
        {LossKind::squared_error, "squared_error", TargetKind::real, CurvatureForm::identity}},
    Entry<CrossEntropy>{
        {LossKind::cross_entropy, "cross_entropy", TargetKind::probabilities, CurvatureForm::full, true}},
    Entry<Logistic>{{LossKind::logistic, "logistic", TargetKind::unit_interval, CurvatureForm::diagonal}},
    Entry<Huber>{{LossKind::huber, "huber", TargetKind::real, CurvatureForm::diagonal, false, "delta", 1.0}},
    Entry<Poisson>{{LossKind::poisson, "poisson", TargetKind::nonnegative, CurvatureForm::diagonal}},
};

// Calls use(formula) with the formula of a loss.
template <class Use>
void with_formula(const Loss& loss, Use use) {
    const auto run = [&](const auto& entry) {
        if (entry.description.kind != loss.kind) return false;
        auto formula = entry.formula;
        formula.parameter = loss.parameter;
        use(formula);
        return true;
    };
    std::apply([&](const auto&... entry) { (run(entry) || ...); }, entries);
}

template <class Formula>
inline constexpr bool couples = std::is_same_v<Formula, CrossEntropy>;

// A loss that is a sum over outputs. Arguments as in evaluate_loss.
template <class T, class Formula>
[[gnu::flatten]] void evaluate_each(Formula formula, Index outputs, RowsView<const T> f, RowsView<const T> y,
                                    const T* weight, Index n, T* value, RowsView<T> residual, RowsView<T> diagonal) {
    using V = Register<T>;
    using detail::lanes;
    if (value) std::fill(value, value + n, T(0));
    for (Index k = 0; k < outputs; ++k)
        for (Index i = 0; i < n; i += Lanes<T>::count) {
            const V w = lanes(weight + i);
            const Terms<V> terms = formula.template terms<V>(lanes(f.row(k) + i), lanes(y.row(k) + i));
            if (value) lanes(value + i) = multiply_add(w, terms.value, V(lanes(value + i)));
            if (residual.data) lanes(residual.row(k) + i) = w * terms.residual;
            if (diagonal.data) lanes(diagonal.row(k) + i) = w * terms.curvature;
        }
}

}  // namespace losses

// Every loss, at the index its kind has.
inline constexpr auto loss_table =
    std::apply([](const auto&... entry) { return std::array{entry.description...}; }, losses::entries);

static_assert([] {
    for (std::size_t i = 0; i < loss_table.size(); ++i)
        if (static_cast<std::size_t>(loss_table[i].kind) != i) return false;
    return true;
}());

inline const LossDescription& describe(const Loss& loss) { return loss_table[static_cast<std::size_t>(loss.kind)]; }

// Whether M has entries beside its diagonal.
inline bool couples_outputs(const Loss& loss) { return describe(loss).curvature == CurvatureForm::full; }

// Everything the loss says of one chunk, already multiplied by the sample weights.
// f, y (K, n); weight (n); outputs: value (n), residual (K, n), diagonal (K, n) of M, coupling (K, n): c, which is left
// alone unless M is full. Null views skip an output; n is a multiple of row_multiple. Where derivatives are asked for,
// cross_entropy leaves q in the place of f, without them it leaves there what it likes.
template <class T>
void evaluate_loss(const Loss& loss, Index outputs, RowsView<T> f, RowsView<const T> y, const T* weight, Index n,
                   T* value, RowsView<T> residual, RowsView<T> diagonal, RowsView<T> coupling) {
    losses::with_formula(loss, [&]<class Formula>(const Formula& formula) {
        if constexpr (losses::couples<Formula>)
            formula.template evaluate<T>(outputs, f, y, weight, n, value, residual, diagonal, coupling);
        else
            losses::evaluate_each<T>(formula, outputs, f, y, weight, n, value, residual, diagonal);
    });
}

// A root of one sample's weighted curvature: A (rows, K) with AᵀA = w M, as a map.
template <class T>
class CurvatureRoot {
public:
    CurvatureRoot(const Loss& loss, Index outputs)
        : loss_(loss), outputs_(outputs), order_(outputs), scale_(outputs), share_(outputs), image_(outputs) {}

    static Index rows(const Loss& loss, Index outputs) {
        return couples_outputs(loss) ? std::max<Index>(outputs - 1, 1) : outputs;
    }

    // Makes A for outputs f (K) and targets y (K).
    void prepare(const T* f, const T* y, T weight) {
        using std::sqrt;
        losses::with_formula(loss_, [&]<class Formula>(const Formula& formula) {
            if constexpr (losses::couples<Formula>) {
                const T mass = std::accumulate(y, y + outputs_, T(0));
                Formula::template root<T>({f, f + outputs_}, weight * mass, order_, scale_, share_);
            } else {
                for (Index k = 0; k < outputs_; ++k) scale_[k] = sqrt(weight) * formula.root(f[k], y[k]);
            }
        });
    }

    // x (K) becomes A x, with zeros after the rows of A.
    void apply(T* x) {
        if (!couples_outputs(loss_)) {
            for (Index k = 0; k < outputs_; ++k) x[k] *= scale_[k];
            return;
        }
        T mean = x[order_[outputs_ - 1]];
        image_[outputs_ - 1] = 0;
        for (Index k = outputs_ - 2; k >= 0; --k) {
            const T difference = x[order_[k]] - mean;
            image_[k] = scale_[k] * difference;
            mean += share_[k] * difference;
        }
        std::copy_n(image_.begin(), outputs_, x);
    }

private:
    Loss loss_;
    Index outputs_;
    std::vector<Index> order_;
    std::vector<T> scale_, share_, image_;
};

}  // namespace hessorbit
