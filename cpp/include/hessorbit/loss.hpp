// Losses, from the outputs f of the network: value, first and second derivative in f, one row per output.
//
//     squared_error   ℓ = ½ Σ_k (f_k − y_k)²                       r = f − y                   M = I
//     cross_entropy   ℓ = Σ_k p_k (log Σ_j e^{f_j} − f_k)          r = (Σp) q − p              M = (Σp)(diag q − q qᵀ)
//     logistic        ℓ = Σ_k (1−y_k) s(f_k) + y_k s(−f_k)         r_k = (1−y_k)q_k − y_k q̄_k   M = diag(q_k q̄_k)
//
// with q = softmax(f), or q_k = sigmoid(f_k) and q̄_k = sigmoid(−f_k), and s(z) = log(1 + e^z). Differences of nearly
// equal probabilities are never formed: 1 − q_k is the sum of the other q_j, so that small residuals keep their digits.
#pragma once

#include "kernel/elementary.hpp"
#include "kernel/rows.hpp"

#include <cmath>

namespace hessorbit {

enum class LossKind { squared_error, cross_entropy, logistic };

namespace detail {

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

}  // namespace detail

// Everything the loss says of one chunk, already multiplied by the sample weights.
// f, y (K, n); weight (n); outputs: value (n), residual (K, n), hessian (K·K, n), row k·K + j holding M_kj.
// Null views skip an output. cross_entropy leaves q in the place of f.
template <class T>
void evaluate_loss(LossKind kind, Index outputs, RowsView<T> f, RowsView<const T> y, const T* weight, Index n,
                   T* value, RowsView<T> residual, RowsView<T> hessian);

namespace detail {

template <class T>
void squared_error(Index outputs, RowsView<const T> f, RowsView<const T> y, const T* weight, Index n, T* value,
                   RowsView<T> residual, RowsView<T> hessian) {
    for (Index k = 0; k < outputs; ++k)
        for (Index i = 0; i < n; ++i) {
            const T r = f.row(k)[i] - y.row(k)[i];
            if (value) value[i] += weight[i] * (r * r / 2);
            if (residual.data) residual.row(k)[i] = weight[i] * r;
        }
    if (!hessian.data) return;
    for (Index k = 0; k < outputs; ++k)
        for (Index j = 0; j < outputs; ++j)
            for (Index i = 0; i < n; ++i) hessian.row(k * outputs + j)[i] = k == j ? weight[i] : T(0);
}

template <class T>
void logistic(Index outputs, RowsView<const T> f, RowsView<const T> y, const T* weight, Index n, T* value,
              RowsView<T> residual, RowsView<T> hessian) {
    for (Index k = 0; k < outputs; ++k)
        for (Index i = 0; i < n; ++i) {
            const T z = f.row(k)[i], p = y.row(k)[i];
            const T q = sigmoid(z), complement = sigmoid(-z);
            if (value) value[i] += weight[i] * ((1 - p) * softplus(z) + p * softplus(-z));
            if (residual.data) residual.row(k)[i] = weight[i] * ((1 - p) * q - p * complement);
            if (hessian.data)
                for (Index j = 0; j < outputs; ++j)
                    hessian.row(k * outputs + j)[i] = j == k ? weight[i] * (q * complement) : T(0);
        }
}

template <class T>
void cross_entropy(Index outputs, RowsView<T> f, RowsView<const T> y, const T* weight, Index n, T* value,
                   RowsView<T> residual, RowsView<T> hessian) {
    using std::exp, std::log1p;
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
        const RowsView<T> q = f;
        for (Index k = 0; k < outputs; ++k) q.row(k)[i] /= 1 + others;
        for (Index k = 0; k < outputs; ++k) {
            T rest_q = 0, rest_p = 0;
            for (Index j = 0; j < outputs; ++j)
                if (j != k) rest_q += q.row(j)[i], rest_p += y.row(j)[i];
            if (residual.data) residual.row(k)[i] = weight[i] * (q.row(k)[i] * rest_p - y.row(k)[i] * rest_q);
            if (hessian.data)
                for (Index j = 0; j < outputs; ++j)
                    hessian.row(k * outputs + j)[i] = weight[i] * mass * q.row(k)[i] * (j == k ? rest_q : -q.row(j)[i]);
        }
    }
}

}  // namespace detail

template <class T>
void evaluate_loss(LossKind kind, Index outputs, RowsView<T> f, RowsView<const T> y, const T* weight, Index n,
                   T* value, RowsView<T> residual, RowsView<T> hessian) {
    if (value) std::fill(value, value + n, T(0));
    switch (kind) {
        case LossKind::squared_error:
            return detail::squared_error<T>(outputs, f, y, weight, n, value, residual, hessian);
        case LossKind::cross_entropy:
            return detail::cross_entropy<T>(outputs, f, y, weight, n, value, residual, hessian);
        case LossKind::logistic: return detail::logistic<T>(outputs, f, y, weight, n, value, residual, hessian);
    }
}

}  // namespace hessorbit
