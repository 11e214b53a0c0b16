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
// 1 − q_k is the sum of the other q_j, those before and those after it, so that small residuals keep their digits.
//
// Every M is a diagonal and, for the loss that couples its outputs, a product beside it: M_kj = −c_k c_j for k ≠ j. So
// it takes 2 K numbers and not K².
//
// One table says everything about a loss: its name, the targets it takes, the form of M, whether it sees differences of
// outputs only, the name and default of its parameter, and its formulas. Adding one means an enumerator, an entry and its
// formula in the tests' references. ℓ has to be convex in f: the Gauss–Newton matrix has a root A with AᵀA = M, and that
// is among the formulas.
#pragma once

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

// One output's part of ℓ, of r, of M, and √M.
template <class T>
struct Terms {
    T value, residual, curvature, root;
};

template <class T>
T softplus(T z) {
    using std::abs, std::exp, std::log1p;
    return std::max(z, T(0)) + log1p(exp(-abs(z)));
}

template <class T>
T sigmoid(T z) {
    using std::abs, std::exp;
    const T e = exp(-abs(z));
    return (z >= 0 ? T(1) : e) / (1 + e);
}

template <class T>
Terms<T> squared_error(T f, T y) {
    const T d = f - y;
    return {d * d / 2, d, T(1), T(1)};
}

template <class T>
Terms<T> logistic(T f, T y) {
    using std::abs, std::exp;
    const T q = sigmoid(f), complement = sigmoid(-f), decay = exp(-abs(f) / 2);
    return {(1 - y) * softplus(f) + y * softplus(-f), (1 - y) * q - y * complement, q * complement,
            decay / (1 + decay * decay)};
}

template <class T>
Terms<T> huber(T f, T y, T delta) {
    using std::abs;
    const T d = f - y, inside = abs(d) <= delta ? T(1) : T(0);
    return {inside != 0 ? d * d / 2 : delta * (abs(d) - delta / 2), std::clamp(d, -delta, delta), inside, inside};
}

template <class T>
Terms<T> poisson(T f, T y) {
    using std::exp;
    const T mean = exp(f);
    return {mean - y * f, mean - y, mean, exp(f / 2)};
}

// The loss that couples its outputs.
struct CrossEntropy {
    // As evaluate_loss, which has set value to zero.
    template <class T>
    static void evaluate(Index outputs, RowsView<T> f, RowsView<const T> y, const T* weight, Index n, T* value,
                         RowsView<T> residual, RowsView<T> diagonal, RowsView<T> coupling) {
        using std::exp, std::log1p, std::sqrt;
        for (Index i = 0; i < n; ++i) {
            Index top = 0;
            for (Index k = 1; k < outputs; ++k)
                if (f.row(k)[i] > f.row(top)[i]) top = k;
            const T shift = f.row(top)[i];
            T others = 0, mass = 0, inner = 0;  // Σ_{k≠top} e^{f_k − f_top}; Σ p; Σ p_k (f_k − f_top)
            for (Index k = 0; k < outputs; ++k) {
                const T p = y.row(k)[i], z = f.row(k)[i] - shift;
                f.row(k)[i] = k == top ? T(1) : exp(z);
                if (k != top) others += f.row(k)[i];
                mass += p;
                if (p != 0) inner += p * z;
            }
            if (value) value[i] += weight[i] * (mass * log1p(others) - inner);
            T q_before = 0, p_before = 0, q_after = 0, p_after = 0;
            for (Index k = 0; k < outputs; ++k) {
                const T q = f.row(k)[i] /= 1 + others, p = y.row(k)[i];
                if (residual.data) residual.row(k)[i] = q * p_before - p * q_before;
                if (diagonal.data) diagonal.row(k)[i] = q_before;
                if (coupling.data) coupling.row(k)[i] = sqrt(weight[i] * mass) * q;
                q_before += q, p_before += p;
            }
            for (Index k = outputs - 1; k >= 0; --k) {
                const T q = f.row(k)[i], p = y.row(k)[i];
                if (residual.data)
                    residual.row(k)[i] = weight[i] * (residual.row(k)[i] + (q * p_after - p * q_after));
                if (diagonal.data) diagonal.row(k)[i] = weight[i] * mass * q * (diagonal.row(k)[i] + q_after);
                q_after += q, p_after += p;
            }
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
};

// Formula: (T f, T y [, T parameter]) → Terms<T>, for one output; or CrossEntropy.
template <class Formula>
struct Entry {
    LossDescription description;
    Formula formula;
};

inline constexpr auto entries = std::tuple{
    Entry{{LossKind::squared_error, "squared_error", TargetKind::real, CurvatureForm::identity},
          [](auto f, auto y) { return squared_error(f, y); }},
    Entry{{LossKind::cross_entropy, "cross_entropy", TargetKind::probabilities, CurvatureForm::full, true},
          CrossEntropy{}},
    Entry{{LossKind::logistic, "logistic", TargetKind::unit_interval, CurvatureForm::diagonal},
          [](auto f, auto y) { return logistic(f, y); }},
    Entry{{LossKind::huber, "huber", TargetKind::real, CurvatureForm::diagonal, false, "delta", 1.0},
          [](auto f, auto y, auto delta) { return huber(f, y, delta); }},
    Entry{{LossKind::poisson, "poisson", TargetKind::nonnegative, CurvatureForm::diagonal},
          [](auto f, auto y) { return poisson(f, y); }},
};

// The formula of one output, its parameter bound.
template <class T, class Formula>
auto bound(const Formula& formula, double parameter) {
    return [=](T f, T y) {
        if constexpr (std::is_invocable_v<Formula, T, T, T>)
            return formula(f, y, static_cast<T>(parameter));
        else
            return formula(f, y);
    };
}

// Calls use(formula) with the formula of a loss.
template <class Use>
void with_formula(LossKind kind, Use use) {
    std::apply([&](const auto&... entry) { ((entry.description.kind == kind && (use(entry.formula), true)) || ...); },
               entries);
}

// A loss that is a sum over outputs. Arguments as in evaluate_loss.
template <class T, class Formula>
[[gnu::flatten]] void evaluate_each(Formula formula, Index outputs, RowsView<const T> f, RowsView<const T> y,
                                    const T* weight, Index n, T* value, RowsView<T> residual, RowsView<T> diagonal) {
    for (Index k = 0; k < outputs; ++k)
        for (Index i = 0; i < n; ++i) {
            const Terms<T> terms = formula(f.row(k)[i], y.row(k)[i]);
            if (value) value[i] += weight[i] * terms.value;
            if (residual.data) residual.row(k)[i] = weight[i] * terms.residual;
            if (diagonal.data) diagonal.row(k)[i] = weight[i] * terms.curvature;
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
// alone unless M is full. Null views skip an output. cross_entropy leaves q in the place of f.
template <class T>
void evaluate_loss(const Loss& loss, Index outputs, RowsView<T> f, RowsView<const T> y, const T* weight, Index n,
                   T* value, RowsView<T> residual, RowsView<T> diagonal, RowsView<T> coupling) {
    if (value) std::fill(value, value + n, T(0));
    losses::with_formula(loss.kind, [&]<class Formula>(const Formula& formula) {
        if constexpr (std::is_same_v<Formula, losses::CrossEntropy>)
            Formula::template evaluate<T>(outputs, f, y, weight, n, value, residual, diagonal, coupling);
        else
            losses::evaluate_each<T>(losses::bound<T>(formula, loss.parameter), outputs, f, y, weight, n, value,
                                     residual, diagonal);
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
        losses::with_formula(loss_.kind, [&]<class Formula>(const Formula& formula) {
            if constexpr (std::is_same_v<Formula, losses::CrossEntropy>) {
                const T mass = std::accumulate(y, y + outputs_, T(0));
                Formula::template root<T>({f, f + outputs_}, weight * mass, order_, scale_, share_);
            } else {
                const auto terms = losses::bound<T>(formula, loss_.parameter);
                for (Index k = 0; k < outputs_; ++k) scale_[k] = sqrt(weight) * terms(f[k], y[k]).root;
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
